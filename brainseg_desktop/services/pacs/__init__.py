"""Exams from the hospital's archive and results back to it: DIMSE and DICOMweb."""
