"""A Dask cluster for tests: says its address, then the workers' process ids for each line it is sent.

An argument is a script that each worker runs as it starts.
"""

import json
import sys

from distributed import Client, LocalCluster


def pid() -> int:
    import os

    return os.getpid()


def main() -> None:
    options = {"preload": sys.argv[1:]} if sys.argv[1:] else {}
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1", **options
    ) as cluster:
        print(json.dumps({"address": cluster.scheduler_address}), flush=True)
        for _ in sys.stdin:
            with Client(cluster, set_as_default=False) as client:
                print(json.dumps({"pids": list(client.run(pid).values())}), flush=True)


if __name__ == "__main__":
    main()
