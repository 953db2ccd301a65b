"""Charts in braille: a pure canvas and axes, and the widgets that hold them."""
