"""seeded.py - a run of random things in a directory of its own, which can be had again by its seed."""
import pathlib
import shutil
import sys
import tempfile
import time


def run_seeded(parser, prefix, run):
    """Exits with the status of run(arguments, directory).main(). The directory is kept unless that is 0."""
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    directory = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
    status = 1
    try:
        status = run(arguments, directory).main()
    finally:
        if status == 0:
            shutil.rmtree(directory)
        else:
            print(f"kept: {directory}")
    sys.exit(status)
