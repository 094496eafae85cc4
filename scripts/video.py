"""`make video`: the video server on this machine, until Ctrl-C (docs/video.md).

Writes its configuration from deploy/nginx-rtmp.conf and the settings of the platform into
VAR_DIR/video and runs nginx with it; arguments are nginx's (-t only looks whether it is right).
With ffmpeg there are several sizes of the picture and replays; without it, the picture as it comes.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from run import RunError, local_environment  # noqa: E402

MODULES = ("/usr/lib/nginx/modules", "/usr/share/nginx/modules", "/usr/local/nginx/modules")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
# Height, kbit/s of picture and of sound, by the name of the variant.
SMALLER = {"mid": (480, 900, 96), "low": (240, 300, 64)}
SOURCE_BITS = 4_000_000


def main() -> int:
    """Write the configuration, then become nginx. Returns the exit code when it cannot."""
    try:
        folder, nginx = prepare()
    except RunError as error:
        print(f"video: {error}", file=sys.stderr)
        return 2
    command = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), *sys.argv[1:]]
    # In its place, so that signals reach it.
    os.execv(nginx, command)  # noqa: S606
    return 1


def prepare() -> tuple[Path, str]:
    """Make the folder of the video server; returns it and the path of nginx. Raises RunError."""
    port = os.environ.get("PORT") or "8000"
    os.environ.update({"SITE_URL": f"http://127.0.0.1:{port}", **local_environment()})
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "livecourse.settings")
    from django.conf import settings

    nginx = found("nginx", "nginx libnginx-mod-rtmp")
    folder = settings.VAR_DIR / "video"
    for name in ("hls", "recordings", "temp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (settings.MEDIA_ROOT / "replays").mkdir(parents=True, exist_ok=True)
    text = (ROOT / "deploy" / "nginx-rtmp.conf").read_text()
    for name, value in values(settings, folder).items():
        text = text.replace(f"@{name}@", value)
    target = folder / "nginx.conf"
    target.touch(mode=0o600)
    target.write_text(text)
    print(
        f"video: send to {settings.RTMP_URL} with the stream key from a control desk\n"
        f"video: viewers get it from {settings.HLS_URL}/; the platform is {settings.PLATFORM_URL}\n"
        "video: Ctrl-C stops it",
        flush=True,
    )
    return folder, nginx


def values(settings, folder: Path) -> dict[str, str]:  # type: ignore[no-untyped-def]
    """What stands in the template between @ signs."""
    ffmpeg = shutil.which("ffmpeg")
    rtmp = f"rtmp://127.0.0.1:{settings.RTMP_PORT}"
    site, platform = urlsplit(settings.SITE_URL), urlsplit(settings.PLATFORM_URL)
    hook = f"http://127.0.0.1:{settings.VIDEO_PORT}/hooks/record_done"
    script = f"{ROOT}/scripts/keep_recording.py"
    keep = quoted(sys.executable, script, "$path", str(settings.MEDIA_ROOT), hook, ffmpeg or "")
    return {
        "MODULES": module_folder(),
        "USER": user_line(folder),
        "FOLDER": str(folder),
        "MEDIA": str(settings.MEDIA_ROOT),
        "RTMP_LISTEN": f"{settings.RTMP_HOST}:{settings.RTMP_PORT}",
        "VIDEO_PORT": str(settings.VIDEO_PORT),
        "PASS_ON": f"            exec_push {smaller_pictures(ffmpeg, rtmp)};"
        if ffmpeg
        else f"            push {rtmp}/hls;",
        "VARIANTS": variants() if ffmpeg else "",
        "RECORD": recorder(folder, keep) if ffmpeg else "",
        "PLATFORM": settings.PLATFORM_URL,
        "PLATFORM_HOST": site.netloc,
        "PLATFORM_SCHEME": site.scheme,
        "PLATFORM_TLS": tls(platform.hostname or "") if platform.scheme == "https" else "",
        "HOOK_SECRET": settings.STREAM_HOOK_SECRET,
        # Tells the streams of this run from those of the runs before.
        "RUN": str(int(time.time()) % 1000),
    }


def smaller_pictures(ffmpeg: str, rtmp: str) -> str:
    """The command that sends the picture on as it is, and smaller ones beside it."""
    command = f"{quoted(ffmpeg)} -nostdin -loglevel error -i {rtmp}/live/$name"
    command += f" -c copy -f flv {rtmp}/hls/$name_src"
    for name, (height, picture, sound) in SMALLER.items():
        # Pieces of all sizes begin at the same moments, so that players can change between them.
        command += (
            f" -vf scale=-2:{height} -c:v libx264 -preset veryfast -tune zerolatency"
            f" -pix_fmt yuv420p -b:v {picture}k -maxrate {picture}k -bufsize {2 * picture}k"
            " -force_key_frames expr:gte(t,n_forced*2)"
            f" -c:a aac -b:a {sound}k -f flv {rtmp}/hls/$name_{name}"
        )
    return command


def variants() -> str:
    bits = {"src": SOURCE_BITS}
    bits |= {name: (picture + sound) * 1000 for name, (_h, picture, sound) in SMALLER.items()}
    lines = [f"            hls_variant _{name} BANDWIDTH={bits[name]};" for name in bits]
    return "\n".join(lines)


def recorder(folder: Path, keep: str) -> str:
    return (
        "            recorder whole {\n"
        "                record all;\n"
        "                record_unique on;\n"
        f"                record_path {quoted(f'{folder}/recordings')};\n"
        f"                exec_record_done {keep};\n"
        "            }"
    )


def quoted(*arguments: str) -> str:
    """As one argument each, whatever the folders of this machine are called."""
    return " ".join(f'"{argument}"' for argument in arguments)


def tls(host: str) -> str:
    """The secret goes to the platform alone, not to whoever answers in its place."""
    return (
        "        proxy_ssl_server_name on;\n"
        f"        proxy_ssl_name {host};\n"
        "        proxy_ssl_verify on;\n"
        f"        proxy_ssl_trusted_certificate {CERTIFICATES};\n"
    )


def user_line(folder: Path) -> str:
    """As root, nginx works for the owner of the folder; else it cannot change who it is."""
    if os.geteuid():
        return ""
    owner = pwd.getpwuid(folder.parent.stat().st_uid)
    return f"user {owner.pw_name} {grp.getgrgid(owner.pw_gid).gr_name};"


def module_folder() -> str:
    for place in MODULES:
        if (Path(place) / "ngx_rtmp_module.so").exists():
            return place
    raise RunError("nginx has no RTMP module: sudo apt-get install libnginx-mod-rtmp")


def found(name: str, packages: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if path is None:
        raise RunError(f"{name} is not installed: sudo apt-get install {packages}")
    return path


if __name__ == "__main__":
    sys.exit(main())
