// Tells the server how long a lesson is studied, where its video stands, and when it is done.
//
// Time counts while the page is in view and, in a lesson with a video, while that plays. What is
// sent is the total, so that a report that was lost or came twice does no harm. Without script,
// a lesson is marked as done by its button alone.

const SEND_EVERY_MS = 15000;
const COUNT_EVERY_MS = 1000;
// A longer step is no study: the machine slept.
const LONGEST_STEP_SECONDS = 5;
// So close to its end a video starts again from the beginning.
const NEAR_END_SECONDS = 5;
// What no later report will change: signed out, no access any more, no such lesson.
const FINAL = [401, 403, 404];

const lesson = document.querySelector(".lesson");
const video = lesson.querySelector("video");
const { report: address } = lesson.dataset;
const length = Number(lesson.dataset.length);
const mostSeconds = Number(lesson.dataset.mostSeconds);
let seconds = Number(lesson.dataset.seconds);
let position = Number(lesson.dataset.position);
let isDone = "isDone" in lesson.dataset;
let isPlayable = video !== null;
// Before that, the position of the video is not yet the learner's.
let isResumed = false;
let isSending = false;
let isSendingAgain = false;
let isRefused = false;
let sent = "";
let countedAt = performance.now();
let wasCounting = isCounting();

function isPlaying() {
  return !video.paused && !video.ended && video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA;
}

function isCounting() {
  return !document.hidden && (!isPlayable || isPlaying());
}

function count() {
  const now = performance.now();
  if (wasCounting) seconds += Math.min((now - countedAt) / 1000, LONGEST_STEP_SECONDS);
  countedAt = now;
  wasCounting = isCounting();
  if (isPlayable && isResumed) position = video.currentTime;
}

function body() {
  const whole = Math.floor(position);
  return JSON.stringify({
    seconds: Math.min(Math.floor(seconds), mostSeconds),
    position_seconds: length ? Math.min(whole, length) : whole,
    is_completed: isDone,
  });
}

// Reports follow each other, so that an older one never arrives last; the last one of a page
// does not wait.
async function send({ isLast = false } = {}) {
  count();
  const now = body();
  if (isRefused || now === sent) return;
  if (isSending && !isLast) {
    isSendingAgain = true;
    return;
  }
  isSending = true;
  try {
    const response = await fetch(address, {
      method: "PUT",
      headers: {
        "Content-Type": "application/json",
        "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value,
      },
      body: now,
      credentials: "same-origin",
      keepalive: true,
    });
    if (FINAL.includes(response.status)) {
      isRefused = true;
      lesson.querySelector("[data-not-kept]").hidden = false;
    } else if (response.ok) {
      sent = now;
      // Another device may have gone on meanwhile.
      const stored = await response.json();
      seconds = Math.max(seconds, stored.seconds);
      if (stored.is_completed) showDone();
    }
  } catch {
    // No network: the next report holds the total again.
  } finally {
    isSending = false;
    if (isSendingAgain) {
      isSendingAgain = false;
      send();
    }
  }
}

function showDone() {
  isDone = true;
  for (const part of lesson.querySelectorAll("[data-until-done]")) part.hidden = true;
  for (const part of lesson.querySelectorAll("[data-when-done]")) part.hidden = false;
  for (const bar of lesson.querySelectorAll("[data-value-when-done]")) {
    bar.value = Number(bar.dataset.valueWhenDone);
  }
}

function showFailure() {
  count();
  isPlayable = false;
  lesson.querySelector("[data-video-failed]").hidden = false;
}

function resume() {
  const isInside = position > 0 && position < video.duration - NEAR_END_SECONDS;
  if (isInside) video.currentTime = position;
  isResumed = true;
}

if (video) {
  // The browser may have found out before this script ran.
  if (video.error) showFailure();
  video.addEventListener("error", showFailure);
}

if (address) {
  if (isPlayable) {
    if (video.readyState > 0) resume();
    else video.addEventListener("loadedmetadata", resume, { once: true });
    for (const change of ["play", "playing", "waiting"]) video.addEventListener(change, count);
    video.addEventListener("pause", () => send());
    video.addEventListener("ended", () => {
      isDone = true;
      send();
    });
  }
  setInterval(count, COUNT_EVERY_MS);
  setInterval(send, SEND_EVERY_MS);
  document.addEventListener("visibilitychange", () => (document.hidden ? send({ isLast: true }) : count()));
  addEventListener("pagehide", () => send({ isLast: true }));
  // Opening it is the first thing to tell: the course goes on from here.
  send();
}
