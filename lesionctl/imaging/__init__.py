"""Pictures and masks: reading any file, the geometry between picture and network, mask files, overlays."""
