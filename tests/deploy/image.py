"""image.py: runs deploy/Dockerfile's own steps in chroots made by debootstrap, and then the server as the image would run it. Needs root, debootstrap and a Debian mirror.

    make image-test        (MIRROR=URL if apt's own is not wanted)

There is no container engine in it: each stage is a directory, RUN is chroot, COPY is cp. What it cannot show is what only an engine does: layers, volumes, the network.
The last line is "N passed, N failed".
"""
import os
import pathlib
import shutil
import subprocess
import sys

import dockerfile

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / "build" / "image"
CLEAN = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}


def say(text):
    print(text, flush=True)


def base(image):
    """A chroot of what the image has: debian:SUITE[-slim] is debootstrap's smallest variant of SUITE. Made once."""
    name, tag = image.split(":")
    assert name == "debian", f"no way to make {image} here"
    suite = tag.removesuffix("-slim")
    place = BUILD / f"base-{suite}"
    if not (place / "made").exists():
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        mirror = os.environ.get("MIRROR") or subprocess.run(
            ["apt-get", "indextargets", "--format", "$(SITE)"], capture_output=True, text=True, check=True).stdout.split()[0]
        say(f"debootstrap {suite}")
        subprocess.run(["debootstrap", "--variant=minbase", suite, place, mirror], check=True, stdout=subprocess.DEVNULL)
        # As the image has it: packages are not kept once they are installed.
        (place / "etc/apt/apt.conf.d/docker-clean").write_text('DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };\n'
                                                               'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";\n')
        for kept in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(place / kept)
            (place / kept / "partial").mkdir(parents=True)
        (place / "made").touch()
    return place


def chroot(place, environment, command, workdir="/", user=None):
    """The command line for `sh -c COMMAND` in the place, with /proc and /dev of its own."""
    inside = f"mount -t proc proc {place}/proc && mount --bind /dev {place}/dev && exec chroot {f'--userspec={user} ' if user else ''}{place} /bin/sh -c 'cd \"$0\" && eval \"$1\"' \"$0\" \"$1\""
    return dict(args=["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", inside, workdir, command], env={**CLEAN, **environment})


def copy(source, target, is_directory):
    """As COPY does: the content of a directory, a file under its name or the target's."""
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, symlinks=True)
    else:
        target = target / source.name if is_directory else target
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def context():
    """The build's context, without what the ignore file leaves out."""
    place = BUILD / "context"
    shutil.rmtree(place, ignore_errors=True)
    for path in dockerfile.context_files(TOP, (TOP / "deploy/Dockerfile.dockerignore").read_text()):
        copy(TOP / path, place / path, False)
    return place


def build(stages):
    """The last stage's directory and its environment and working directory."""
    made, files = {}, context()
    for number, stage in enumerate(stages):
        place, environment, workdir = BUILD / f"stage{number}", {}, "/"
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run(["cp", "-a", base(stage.base), place], check=True)
        shutil.copy("/etc/resolv.conf", place / "etc/resolv.conf")
        for step in stage.steps:
            say(f"stage {number}: {' '.join(str(word) for word in step)[:110]}")
            if step[0] == "RUN":
                subprocess.run(**chroot(place, environment, step[1], workdir), check=True)
            elif step[0] == "COPY":
                root = made[step[1]] if step[1] else files
                target = place / str(pathlib.PurePosixPath(workdir) / step[3]).lstrip("/")
                for source in step[2]:
                    copy(root / source.lstrip("/"), target, step[3].endswith("/"))
            elif step[0] == "WORKDIR":
                workdir = step[1]
                (place / workdir.lstrip("/")).mkdir(parents=True, exist_ok=True)
            else:
                environment |= step[1]
        made[stage.name] = place
    return place, environment, workdir


def size_of(place):
    return int(subprocess.run(["du", "-sxk", place], capture_output=True, text=True, check=True).stdout.split()[0]) / 1024


def run(place, environment, workdir, says):
    """Start it as the image would, in a network of its own; its healthcheck must turn good; stop it as the image would."""
    command = " ".join(dockerfile.words_of(says["ENTRYPOINT"]) + dockerfile.words_of(says["CMD"]))
    health = dockerfile.words_of(says["HEALTHCHECK"].split("CMD ", 1)[1])
    user = subprocess.run(["chroot", place, "id", "-u", says["USER"]], capture_output=True, text=True, check=True).stdout.strip()
    script = (f"ip link set lo up; chroot --userspec={user}:{user} {place} /bin/sh -c 'cd {workdir} && exec {command}' & server=$!; "
              f"for try in $(seq 150); do chroot --userspec={user}:{user} {place} {' '.join(health)} 2>/dev/null && healthy=1 && break; sleep 0.1; done; "
              f"chroot {place} wget -qO- http://127.0.0.1:8181/api/management/v1/health || healthy=; grep '^Uid' /proc/$server/status; "
              f"kill -{says['STOPSIGNAL'].removeprefix('SIG')} $server; wait $server; echo; echo healthy=$healthy ended=$?")
    answer = subprocess.run(["unshare", "--net", "--mount", "sh", "-c", f"mount --bind /dev {place}/dev; {script}"], env={**CLEAN, **environment}, capture_output=True, text=True, timeout=120)
    say(answer.stdout + answer.stderr)
    assert user != "0" and f"Uid:\t{user}\t{user}" in answer.stdout, "it does not run as its user"
    assert "healthy=1 ended=0" in answer.stdout, "it did not become healthy, or did not stop"
    mode = (place / workdir.lstrip("/") / "data").stat()
    assert mode.st_uid == int(user), "the data is not the user's"


def main():
    assert os.geteuid() == 0, "image.py: needs root, for chroot"
    BUILD.mkdir(parents=True, exist_ok=True)
    stages = dockerfile.parse((TOP / "deploy/Dockerfile").read_text())
    place, environment, workdir = build(stages)
    run(place, environment, workdir, stages[-1].says)
    say(f"size: {size_of(place):.0f} MiB, of it the base {size_of(base(stages[-1].base)):.0f} MiB, firn {(place / 'usr/bin/firn').stat().st_size / 2**20:.1f} MiB")
    assert not (place / "usr/bin/gcc").exists(), "the compiler is in the image"
    say("1 passed, 0 failed")


if __name__ == "__main__":
    sys.exit(main())
