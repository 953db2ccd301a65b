"""Pictures in the terminal: detection, cells, the Kitty protocol, one widget."""
