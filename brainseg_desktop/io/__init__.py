"""Files in and out: NIfTI, slices, layouts of data sets, the journal. No windows, no command line."""
