"""Many cases: in processes of this machine or of a cluster, with a record of what is done."""
