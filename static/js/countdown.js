// Counts down to a moment; with data-then="reload" the page is loaded again when it has come.

const seconds = { days: 86400, hours: 3600, minutes: 60, seconds: 1 };

function tick(box, until) {
  let left = Math.max(0, Math.floor((until - Date.now()) / 1000));
  for (const [unit, length] of Object.entries(seconds)) {
    const n = Math.floor(left / length);
    left -= n * length;
    box.querySelector(`[data-unit="${unit}"]`).textContent = unit === "days" ? n : String(n).padStart(2, "0");
  }
  return until > Date.now();
}

for (const box of document.querySelectorAll("[data-countdown]")) {
  const until = Date.parse(box.dataset.countdown);
  if (!tick(box, until)) continue;
  box.hidden = false;
  const timer = setInterval(() => {
    if (tick(box, until)) return;
    clearInterval(timer);
    box.hidden = true;
    if (box.dataset.then === "reload") location.reload();
  }, 1000);
}
