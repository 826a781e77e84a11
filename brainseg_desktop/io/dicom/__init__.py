"""DICOM: exams in, standard objects out. The only place where the world's axes are LPS."""
