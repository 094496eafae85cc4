// Loads the page of a scheduled session again once the session has begun, or is no longer planned.
//
// It asks only while the page is in sight and the beginning is near or past, less often when
// nobody comes, and later when the server says so. Viewers who wait together do not ask in the
// same second.

const NEAR_MS = 10 * 60 * 1000;
const OFTEN_MS = 10 * 1000;
const SELDOM_MS = 60 * 1000;
const SELDOM_AFTER_MS = 30 * 60 * 1000;
const LONGEST_MS = 24 * 3600 * 1000;

const waiting = document.querySelector("[data-awaits]");
let timer = null;

function lateness() {
  return Date.now() - Date.parse(waiting.dataset.begins);
}

function wait(retryAfter) {
  const usual = lateness() > SELDOM_AFTER_MS ? SELDOM_MS : OFTEN_MS;
  const told = (Number(retryAfter) || 0) * 1000;
  const untilNear = Math.min(-lateness() - NEAR_MS, LONGEST_MS);
  timer = setTimeout(look, Math.max(usual, told, untilNear) * (1 + Math.random() / 2));
}

async function look() {
  let retryAfter = null;
  if (!document.hidden && lateness() > -NEAR_MS) {
    try {
      const response = await fetch(waiting.dataset.awaits, { credentials: "same-origin" });
      retryAfter = response.headers.get("retry-after");
      const isGone = response.status === 404;
      if (isGone || (response.ok && (await response.json()).status !== "scheduled")) {
        location.reload();
        return;
      }
    } catch {
      // Without a connection it asks again later.
    }
  }
  wait(retryAfter);
}

if (waiting) {
  wait(null);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    clearTimeout(timer);
    look();
  });
}
