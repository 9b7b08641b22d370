// swift-tools-version: 6.1
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let package = Package(
    name: "sellout",
    products: [.executable(name: "sellout", targets: ["sellout"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.1.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.0.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.1.0"),
    ],
    targets: [
        // C libraries as Swift sees them: a module map and a shim, nothing else. One Swift target imports each.
        .systemLibrary(name: "CNcurses", path: "Sources/CNcurses"),
        .systemLibrary(name: "CHiredis", path: "Sources/CHiredis"),
        .systemLibrary(name: "CLinux", path: "Sources/CLinux"),
        .systemLibrary(name: "CLua", path: "Sources/CLua"),

        // Layers, lowest first; imports only point down.
        .target(name: "Inventory", swiftSettings: strict),
        .target(name: "TerminalUI", dependencies: [.product(name: "Yams", package: "Yams")], swiftSettings: strict),
        .target(
            name: "Settings",
            dependencies: [
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict),
        .target(name: "Host", dependencies: ["CLinux"], swiftSettings: strict),
        .target(name: "NcursesTerminal", dependencies: ["TerminalUI", "CNcurses", "Host"], swiftSettings: strict),
        .target(
            name: "Telemetry",
            dependencies: ["Inventory", .product(name: "Histogram", package: "hdrhistogram-swift")],
            swiftSettings: strict),
        .target(
            name: "Redis",
            dependencies: ["CHiredis", "Host", .product(name: "DequeModule", package: "swift-collections")],
            swiftSettings: strict),
        // A Redis server in memory that runs the real scripts: what the simulator and its tests stand on.
        .target(name: "RedisModel", dependencies: ["CLua", "Redis"], swiftSettings: strict),
        .target(
            name: "OrderStore",
            dependencies: [
                "Inventory",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .target(
            name: "Deduction",
            dependencies: [
                "Inventory", "Redis", "OrderStore", "Telemetry",
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            resources: [.embedInCode("Lua")],
            swiftSettings: strict),
        .target(
            name: "Reconciliation", dependencies: ["Inventory", "Redis", "OrderStore", "Deduction", "Telemetry"],
            swiftSettings: strict),
        .target(
            name: "Operations",
            dependencies: ["Inventory", "Redis", "OrderStore", "Deduction", "Reconciliation", "Telemetry"],
            swiftSettings: strict),
        .target(
            name: "Lab",
            dependencies: [
                "Checker", "FinalBooks", "Inventory", "Redis", "OrderStore", "Deduction", "Reconciliation",
                "Operations", "Telemetry",
                "Host", .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        // Judges a run of the rig by its history and its end; shares no code with what it judges.
        .target(name: "Checker", dependencies: ["Inventory"], swiftSettings: strict),
        // What both stores held in the end, read raw for the checker.
        .target(
            name: "FinalBooks", dependencies: ["Checker", "Inventory", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: strict),
        // Worlds of one thread, one clock and one seed, in which the production code meets every fault.
        .target(
            name: "Simulation",
            dependencies: [
                "Checker", "FinalBooks", "Inventory", "Redis", "RedisModel", "OrderStore", "Deduction",
                "Reconciliation",
                "Operations",
                "Telemetry", "Host", .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .target(name: "Dashboard", dependencies: ["Inventory", "Telemetry", "TerminalUI"], swiftSettings: strict),
        .executableTarget(
            name: "sellout",
            dependencies: [
                "Inventory", "Telemetry", "Redis", "OrderStore", "Deduction", "Reconciliation", "Operations", "Lab",
                "Dashboard", "TerminalUI", "NcursesTerminal", "Host", "Settings", "Simulation", "Checker",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),

        // Tests mirror the targets.
        .testTarget(name: "InventoryTests", dependencies: ["Inventory"], swiftSettings: strict),
        .testTarget(name: "CheckerTests", dependencies: ["Checker", "Inventory"], swiftSettings: strict),
        .testTarget(name: "SettingsTests", dependencies: ["Settings"], swiftSettings: strict),
        .testTarget(name: "TerminalUITests", dependencies: ["TerminalUI"], swiftSettings: strict),
        .testTarget(name: "RedisTests", dependencies: ["Redis", "Lab", "Host", "SaleRig"], swiftSettings: strict),
        .testTarget(
            name: "OrderStoreTests",
            dependencies: ["OrderStore", "Inventory", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: strict),
        // Owns a fleet until it is killed: what LabTests kills.
        .executableTarget(name: "FleetHolder", dependencies: ["Lab"], path: "Tests/FleetHolder", swiftSettings: strict),
        .testTarget(
            name: "LabTests", dependencies: ["Lab", "Inventory", "Redis", "Host", "FleetHolder", "SaleRig"],
            swiftSettings: strict),
        // A small sale on a real server, with hands on everything: what the live tests of the two stores stand on.
        .target(
            name: "SaleRig",
            dependencies: ["Reconciliation", "Deduction", "OrderStore", "Redis", "RedisModel", "Inventory", "Lab"],
            path: "Tests/SaleRig", swiftSettings: strict),
        .testTarget(
            name: "DeductionTests",
            dependencies: [
                "Deduction", "Reconciliation", "OrderStore", "Redis", "Inventory", "Lab", "Telemetry", "SaleRig",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "RedisModelTests",
            dependencies: [
                "RedisModel", "Redis", "Reconciliation", "Deduction", "OrderStore", "Inventory", "Lab", "SaleRig",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "OperationsTests",
            dependencies: [
                "Operations", "Reconciliation", "Deduction", "OrderStore", "Redis", "Inventory", "Lab", "Telemetry",
                "SaleRig",
            ],
            swiftSettings: strict),
        // The program itself, to see a seed replayed in another process.
        .testTarget(
            name: "SimulationTests", dependencies: ["Simulation", "Checker", "Inventory", "sellout"],
            swiftSettings: strict),
        .testTarget(
            name: "ReconciliationTests",
            dependencies: [
                "Reconciliation", "Deduction", "OrderStore", "Redis", "Inventory", "Lab", "Operations", "SaleRig",
                "Telemetry",
            ],
            swiftSettings: strict),
        // An engine with a process of its own, which EngineTests kill, and the history in which its buyers survive it.
        .target(name: "EngineHistory", dependencies: ["Inventory"], path: "Tests/EngineHistory", swiftSettings: strict),
        .executableTarget(
            name: "EngineProcess",
            dependencies: [
                "EngineHistory", "Inventory", "OrderStore", "Deduction", "Reconciliation", "Operations", "Lab", "Redis",
                "Telemetry",
            ],
            path: "Tests/EngineProcess", swiftSettings: strict),
        .testTarget(
            name: "EngineTests",
            dependencies: [
                "EngineHistory", "EngineProcess", "Inventory", "OrderStore", "Deduction", "Reconciliation",
                "Operations", "Lab", "Redis", "Host", "SaleRig",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "DashboardTests", dependencies: ["Dashboard", "Inventory", "TerminalUI", "Telemetry"],
            exclude: ["Golden"],
            swiftSettings: strict),
        // Tortures a sale with parties that are processes of the built program.
        .testTarget(
            name: "TortureTests", dependencies: ["sellout", "Lab", "Checker", "Inventory"], swiftSettings: strict),
        // Runs the built program in a terminal: depends on it so that it is built.
        .testTarget(
            name: "ProgramTests",
            dependencies: [
                "sellout", "Inventory", "Redis", "OrderStore", "Operations", "Lab", "Host",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
    ]
)
