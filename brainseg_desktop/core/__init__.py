"""The model of the program: numpy, scipy and scikit-image only, no files, no windows."""
