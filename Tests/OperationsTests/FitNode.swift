import Operations

/// A server that every promise can rest on, but for what is changed.
func node(_ change: (inout NodeFacts) -> Void = { _ in }) -> NodeFacts {
    var node = NodeFacts(address: "h:1")
    node.memoryLimit = 1 << 30
    node.hasAOF = true
    node.appendFsync = "everysec"
    node.replicasInTouch = 1
    change(&node)
    return node
}
