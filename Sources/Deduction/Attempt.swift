/// What whoever asks for an order knows of earlier attempts of its flow.
///
/// An engine cannot know it by itself: another engine may have been asked, or this one before it was started anew. So it takes its
/// caller's word, and without one it asks Redis, whose ledger knows.
public enum Attempt: Hashable, Sendable {
    /// Nobody has asked for this flow before, here or anywhere else: its caller has just made it. Only such an attempt may hear a
    /// "no" that rests on what the engine heard up to `LocalRefusals.trustMilliseconds` ago.
    case first
    /// The flow may have been asked for and answered before. Redis is asked, and a yes that was given is said again.
    case repeated
    /// The flow was asked for before and its outcome is unknown. A "no" stays `unknown`, since the lost attempt may still run,
    /// until `cancel` was answered.
    case afterUnknown
}
