// The picture of a live session or its replay: hls.js where the browser has no HLS of its own, as
// Safari has. What to play comes with the page, and then with each change from the room.

const FIRST_RETRY_MS = 2000;
const LONGEST_RETRY_MS = 10_000;
// So many failures in a row are told; until then it is only on its way.
const PATIENT_FAILURES = 4;
// Of a replay, before somebody plays it.
const FIRST_BUFFER_SECONDS = 8;
const PLAYED_BUFFER_SECONDS = 30;
// A picture that stands still for so long although it should come is loaded anew.
const STALLED_MS = 12_000;

const root = document.querySelector("[data-player]");
const find = (name) => root.querySelector(`[data-${name}]`);
const picture = find("picture");
const words = find("words").dataset;
const isReplay = picture.controls;

let playing = { kind: "none", url: null };
let hls = null;
let failures = 0;
let retryTimer = null;
let isPausedByViewer = false;
let library = null;

// --- What stands over the picture --------------------------------------------------------------

function say(text, { isBusy = false, canRetry = false } = {}) {
  find("says").hidden = !text;
  find("text").textContent = text;
  find("wheel").hidden = !isBusy;
  find("retry").hidden = !canRetry;
}

function showTools() {
  const isThere = playing.kind !== "none";
  find("bar").hidden = isReplay || !isThere;
  find("sample").hidden = !playing.is_sample;
  find("sound").textContent = picture.muted ? words.soundOn : words.soundOff;
  find("sound").classList.toggle("is-wanted", picture.muted);
  find("pause").textContent = isPausedByViewer ? words.play : words.pause;
}

// --- Loading ------------------------------------------------------------------------------------

function hasOwnHls() {
  return picture.canPlayType("application/vnd.apple.mpegurl") !== "";
}

function loadLibrary() {
  library ??= new Promise((resolve, reject) => {
    if (window.Hls) return resolve(window.Hls);
    const script = document.createElement("script");
    script.src = root.dataset.hls;
    script.onload = () => resolve(window.Hls);
    script.onerror = () => {
      library = null;
      script.remove();
      reject(new Error("hls.js"));
    };
    document.head.append(script);
  });
  return library;
}

function unload() {
  clearTimeout(retryTimer);
  retryTimer = null;
  hls?.destroy();
  hls = null;
}

async function load() {
  unload();
  const { url } = playing;
  picture.loop = Boolean(playing.is_sample);
  if (failures < PATIENT_FAILURES && !playing.is_away) say(words.loading, { isBusy: true });
  if (hasOwnHls() && navigator.vendor.startsWith("Apple")) return playNatively(url);
  let Hls;
  try {
    Hls = await loadLibrary();
  } catch {
    return fail();
  }
  if (url !== playing.url) return;
  if (!Hls.isSupported()) return hasOwnHls() ? playNatively(url) : say(words.unplayable);
  hls = new Hls({
    workerPath: root.dataset.worker,
    capLevelToPlayerSize: true,
    liveSyncDurationCount: 3,
    // Who was away comes back to what is now.
    liveMaxLatencyDurationCount: 8,
    backBufferLength: 30,
    ...(isReplay && picture.paused ? { maxBufferLength: FIRST_BUFFER_SECONDS } : {}),
  });
  hls.on(Hls.Events.ERROR, onError);
  hls.loadSource(url);
  hls.attachMedia(picture);
  start();
}

function playNatively(url) {
  if (picture.getAttribute("src") === url) picture.load();
  else picture.src = url;
  start();
}

async function start() {
  if (isReplay || isPausedByViewer) {
    say("");
    return;
  }
  picture.autoplay = true;
  try {
    await picture.play();
  } catch (error) {
    // A browser that saves data or power waits for a press.
    if (error.name === "NotAllowedError") {
      say("");
      find("start").hidden = false;
    }
  }
}

function onError(_name, { fatal, type }) {
  if (!fatal) return;
  if (type === "mediaError" && failures === 0) {
    failures += 1;
    hls.recoverMediaError();
    return;
  }
  fail();
}

function fail() {
  unload();
  failures += 1;
  if (playing.is_away) return;
  if (failures >= PATIENT_FAILURES) say(words.failed, { canRetry: true });
  const wait = Math.min(FIRST_RETRY_MS * failures, LONGEST_RETRY_MS);
  retryTimer = setTimeout(load, wait);
}

for (const kind of ["loadeddata", "emptied"]) {
  picture.addEventListener(kind, () => root.classList.toggle("player--empty", picture.readyState < 2));
}

picture.addEventListener("error", () => {
  if (!hls && picture.getAttribute("src")) fail();
});

// --- What the room says --------------------------------------------------------------------------

export function setVideo(video) {
  const before = playing;
  playing = video;
  showTools();
  if (video.kind === "none") {
    unload();
    picture.removeAttribute("src");
    picture.load();
    say(isReplay ? words.noReplay : words.waiting);
    return;
  }
  if (video.is_away) {
    // The last picture stays; what has come already is played to its end.
    hls?.stopLoad();
    clearTimeout(retryTimer);
    say(words.away, { isBusy: true });
    return;
  }
  const isSame = before.kind === video.kind && before.url === video.url && !before.is_away;
  if (isSame) return;
  failures = 0;
  load();
}

document.addEventListener("room:video", ({ detail }) => setVideo(detail));

// --- The picture moves, or not -------------------------------------------------------------------

let movedAt = Date.now();
let lastTime = -1;

picture.addEventListener("timeupdate", () => {
  if (picture.currentTime === lastTime) return;
  lastTime = picture.currentTime;
  movedAt = Date.now();
  failures = 0;
  find("start").hidden = true;
  if (!playing.is_away) say("");
});

setInterval(() => {
  const shouldMove = playing.is_on_air && !playing.is_away && !picture.paused && !document.hidden;
  if (!shouldMove || retryTimer) movedAt = Date.now();
  else if (Date.now() - movedAt > STALLED_MS) {
    movedAt = Date.now();
    fail();
  }
}, 1000);

// --- Buttons -------------------------------------------------------------------------------------

picture.addEventListener("play", () => {
  if (hls && isReplay) hls.config.maxBufferLength = PLAYED_BUFFER_SECONDS;
});

find("retry").addEventListener("click", () => {
  failures = 0;
  load();
});

find("start").addEventListener("click", () => {
  find("start").hidden = true;
  start();
});

find("sound").addEventListener("click", () => {
  picture.muted = !picture.muted;
});
picture.addEventListener("volumechange", showTools);

find("pause").addEventListener("click", () => {
  isPausedByViewer = !isPausedByViewer;
  if (isPausedByViewer) picture.pause();
  else {
    // Live is now, not where one stopped.
    if (hls?.liveSyncPosition) picture.currentTime = hls.liveSyncPosition;
    start();
  }
  showTools();
});

const canFill = Boolean(root.requestFullscreen || picture.webkitEnterFullscreen);
find("full").hidden = !canFill;
find("full").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (root.requestFullscreen) root.requestFullscreen();
  else picture.webkitEnterFullscreen();
});

document.addEventListener("click", (event) => {
  const chapter = event.target.closest?.("[data-seek]");
  if (!chapter) return;
  picture.currentTime = Number(chapter.dataset.seek);
  picture.play();
  picture.scrollIntoView({ block: "nearest" });
});

// Which chapter is shown now.
const marks = [...document.querySelectorAll("[data-seek]")];
if (marks.length) {
  picture.addEventListener("timeupdate", () => {
    const now = marks.findLast((mark) => Number(mark.dataset.seek) <= picture.currentTime + 0.2);
    for (const mark of marks) {
      if (mark === now) mark.setAttribute("aria-current", "true");
      else mark.removeAttribute("aria-current");
    }
  });
}

setVideo(JSON.parse(root.dataset.video));
