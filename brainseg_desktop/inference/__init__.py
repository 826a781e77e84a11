"""From image arrays to a tumour outline: preprocessing, networks, worker process. torch in one file only."""
