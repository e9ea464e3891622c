"""How Sphinx builds the guide: `make docs`."""

project = "lstmlab"
author = "lstmlab authors"
language = "en"

extensions = ["myst_parser"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["guide.css"]
html_title = "The lstmlab guide"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
# A broken reference is a warning, and warnings stop the build.
nitpicky = True
