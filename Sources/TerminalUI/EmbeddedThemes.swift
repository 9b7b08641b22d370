/// The themes of the folder Themes, built in so that the binary works wherever it is moved. A test holds each equal to its
/// file.
enum EmbeddedThemes {
    /// A theme's file, by its name.
    static let all: [String: String] = [
        "catppuccin-mocha": """
        system: "base16"
        name: "Catppuccin Mocha"
        author: "Catppuccin"
        variant: "dark"
        palette:
          base00: "#1e1e2e"
          base01: "#181825"
          base02: "#313244"
          base03: "#45475a"
          base04: "#585b70"
          base05: "#cdd6f4"
          base06: "#f5e0dc"
          base07: "#b4befe"
          base08: "#f38ba8"
          base09: "#fab387"
          base0A: "#f9e2af"
          base0B: "#a6e3a1"
          base0C: "#94e2d5"
          base0D: "#89b4fa"
          base0E: "#cba6f7"
          base0F: "#f2cdcd"

        """,
        "dracula": """
        system: "base16"
        name: "Dracula"
        author: "Zeno Rocha"
        variant: "dark"
        palette:
          base00: "#282a36"
          base01: "#363447"
          base02: "#44475a"
          base03: "#6272a4"
          base04: "#9ea8c7"
          base05: "#f8f8f2"
          base06: "#f0f1f4"
          base07: "#ffffff"
          base08: "#ff5555"
          base09: "#ffb86c"
          base0A: "#f1fa8c"
          base0B: "#50fa7b"
          base0C: "#8be9fd"
          base0D: "#80bfff"
          base0E: "#ff79c6"
          base0F: "#bd93f9"

        """,
        "gruvbox-dark": """
        system: "base16"
        name: "Gruvbox Dark"
        author: "Pavel Pertsev"
        variant: "dark"
        palette:
          base00: "#282828"
          base01: "#3c3836"
          base02: "#504945"
          base03: "#665c54"
          base04: "#bdae93"
          base05: "#d5c4a1"
          base06: "#ebdbb2"
          base07: "#fbf1c7"
          base08: "#fb4934"
          base09: "#fe8019"
          base0A: "#fabd2f"
          base0B: "#b8bb26"
          base0C: "#8ec07c"
          base0D: "#83a598"
          base0E: "#d3869b"
          base0F: "#d65d0e"

        """,
        "high-contrast-dark": """
        system: "base16"
        name: "High Contrast Dark"
        author: "Sellout"
        variant: "dark"
        palette:
          base00: "#000000"
          base01: "#0d0d0d"
          base02: "#00408a"
          base03: "#6e6e6e"
          base04: "#c8c8c8"
          base05: "#ffffff"
          base06: "#ffffff"
          base07: "#ffffff"
          base08: "#ff6b6b"
          base09: "#ffae42"
          base0A: "#ffe600"
          base0B: "#4dff88"
          base0C: "#33e6ff"
          base0D: "#7cb8ff"
          base0E: "#e0a3ff"
          base0F: "#ff8ad8"
        roles:
          border: "#9a9a9a"
          dim: "#d6d6d6"
          faint: "#a8a8a8"
          focusBorder: base0A
          track: "#2b2b2b"

        """,
        "high-contrast-light": """
        system: "base16"
        name: "High Contrast Light"
        author: "Sellout"
        variant: "light"
        palette:
          base00: "#ffffff"
          base01: "#f2f2f2"
          base02: "#bcdcff"
          base03: "#8a8a8a"
          base04: "#3c3c3c"
          base05: "#000000"
          base06: "#000000"
          base07: "#000000"
          base08: "#a80016"
          base09: "#8f3d00"
          base0A: "#6b4a00"
          base0B: "#00561f"
          base0C: "#004f66"
          base0D: "#003b8f"
          base0E: "#5b1494"
          base0F: "#8a0057"
        roles:
          border: "#5a5a5a"
          dim: "#333333"
          faint: "#5c5c5c"
          focusBorder: base0D
          onFill: "#ffffff"
          track: "#d9d9d9"

        """,
        "nord": """
        system: "base16"
        name: "Nord"
        author: "Arctic Ice Studio"
        variant: "dark"
        palette:
          base00: "#2e3440"
          base01: "#3b4252"
          base02: "#434c5e"
          base03: "#4c566a"
          base04: "#d8dee9"
          base05: "#e5e9f0"
          base06: "#eceff4"
          base07: "#8fbcbb"
          base08: "#bf616a"
          base09: "#d08770"
          base0A: "#ebcb8b"
          base0B: "#a3be8c"
          base0C: "#88c0d0"
          base0D: "#81a1c1"
          base0E: "#b48ead"
          base0F: "#5e81ac"

        """,
        "okabe-ito-dark": """
        system: "base16"
        name: "Okabe-Ito Dark"
        author: "Sellout, colours by Okabe and Ito"
        variant: "dark"
        palette:
          base00: "#0b0f14"
          base01: "#141b24"
          base02: "#1f3247"
          base03: "#4a5665"
          base04: "#93a0b0"
          base05: "#dbe3ec"
          base06: "#ecf2f8"
          base07: "#ffffff"
          base08: "#e87a2e"
          base09: "#e69f00"
          base0A: "#f0e442"
          base0B: "#2fc598"
          base0C: "#56b4e9"
          base0D: "#4f9fe0"
          base0E: "#cc79a7"
          base0F: "#d55e00"
        roles:
          good: base0D
          warn: base0A
          bad: base08
          accent: base0C
          second: base0E
          frozen: base0B
          hot: base0A
          heat: ["#0b3f73", "#0072b2", "#56b4e9", "#e69f00", "#f0e442"]

        """,
        "okabe-ito-light": """
        system: "base16"
        name: "Okabe-Ito Light"
        author: "Sellout, colours by Okabe and Ito"
        variant: "light"
        palette:
          base00: "#ffffff"
          base01: "#f3f5f7"
          base02: "#d5e6f3"
          base03: "#b4bcc4"
          base04: "#6b7580"
          base05: "#1c232b"
          base06: "#10161c"
          base07: "#000000"
          base08: "#8c2400"
          base09: "#9a6a00"
          base0A: "#867200"
          base0B: "#007f62"
          base0C: "#00679f"
          base0D: "#005a8c"
          base0E: "#a2477c"
          base0F: "#b34a00"
        roles:
          good: base0D
          frozen: base0B
          onFill: "#ffffff"
          heat: ["#a6d4f2", "#56b4e9", "#0072b2", "#8a5a00", "#6b3000"]

        """,
        "sellout-dark": """
        system: "base16"
        name: "Sellout Dark"
        author: "Sellout"
        variant: "dark"
        palette:
          base00: "#0a0e17"
          base01: "#111726"
          base02: "#1c2a40"
          base03: "#43506b"
          base04: "#8a97b1"
          base05: "#d3dcec"
          base06: "#e6edf8"
          base07: "#f6f9ff"
          base08: "#ff5d6c"
          base09: "#ff9a57"
          base0A: "#ffc24b"
          base0B: "#4fe08a"
          base0C: "#3fd4e8"
          base0D: "#5aa7ff"
          base0E: "#b48cff"
          base0F: "#ff7ac6"
        roles:
          hot: base0A
          focusBorder: base0C
          second: base0E
          frozen: base0D
          selection: "#16304a"
          heat: ["#1d3f7a", "#3a6df0", "#a45cf0", "#ff5d8f", "#ffa24b", "#ffe27a"]

        """,
        "sellout-light": """
        system: "base16"
        name: "Sellout Light"
        author: "Sellout"
        variant: "light"
        palette:
          base00: "#fbfaf7"
          base01: "#f1efe9"
          base02: "#d7e6f2"
          base03: "#b3b4b6"
          base04: "#767a82"
          base05: "#262b36"
          base06: "#171b24"
          base07: "#0b0e14"
          base08: "#c8203a"
          base09: "#c2570c"
          base0A: "#9a6500"
          base0B: "#137a3f"
          base0C: "#0b7285"
          base0D: "#1f5fbf"
          base0E: "#7a3fc0"
          base0F: "#b0287a"
        roles:
          focusBorder: base0C
          onFill: "#ffffff"
          heat: ["#8fb4e8", "#4f86d9", "#8b5cc9", "#c23a7a", "#c23a3a", "#7a1f1f"]

        """,
        "solarized-dark": """
        system: "base16"
        name: "Solarized Dark"
        author: "Ethan Schoonover"
        variant: "dark"
        palette:
          base00: "#002b36"
          base01: "#073642"
          base02: "#0f4350"
          base03: "#657b83"
          base04: "#839496"
          base05: "#93a1a1"
          base06: "#eee8d5"
          base07: "#fdf6e3"
          base08: "#dc322f"
          base09: "#cb4b16"
          base0A: "#b58900"
          base0B: "#859900"
          base0C: "#2aa198"
          base0D: "#268bd2"
          base0E: "#6c71c4"
          base0F: "#d33682"

        """,
        "solarized-light": """
        system: "base16"
        name: "Solarized Light"
        author: "Ethan Schoonover"
        variant: "light"
        palette:
          base00: "#fdf6e3"
          base01: "#eee8d5"
          base02: "#dcd5bf"
          base03: "#839496"
          base04: "#657b83"
          base05: "#586e75"
          base06: "#073642"
          base07: "#002b36"
          base08: "#dc322f"
          base09: "#cb4b16"
          base0A: "#b58900"
          base0B: "#859900"
          base0C: "#2aa198"
          base0D: "#268bd2"
          base0E: "#6c71c4"
          base0F: "#d33682"
        roles:
          text: "#43565d"

        """,
    ]
}
