"""Running a net: devices, precision, threads, and one Segmenter per backend."""
