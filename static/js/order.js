// Notices a payment that was made elsewhere, such as with the phone that read the QR code.

const EVERY_MS = 5000;
const shown = document.querySelector("[data-order-status]");

async function look() {
  if (document.hidden) return;
  try {
    const response = await fetch(location.pathname, { credentials: "same-origin" });
    if (!response.ok || response.redirected) return;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const now = page.querySelector("[data-order-status]");
    if (now && now.dataset.orderStatus !== shown.dataset.orderStatus) location.replace(location.pathname);
  } catch {
    // Without a connection it looks again later.
  }
}

if (shown) setInterval(look, EVERY_MS);
