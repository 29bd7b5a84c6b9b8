// Keeps the support library buildable when a layer has no support files.
