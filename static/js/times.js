// Shows moments in the viewer's own time zone where it differs from the platform's.

const language = document.documentElement.lang;
const hour = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const day = { day: "numeric", month: "short" };
const forms = {
  full: { weekday: "short", ...day, ...hour },
  hour,
  day: { ...day, year: "numeric" },
};

function minutesFromUtc(iso) {
  const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)$/.exec(iso) ?? [null, "+", "0", "0"];
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

function isElsewhere(iso) {
  return -new Date(iso).getTimezoneOffset() !== minutesFromUtc(iso);
}

function zoneName(moment) {
  const parts = new Intl.DateTimeFormat(language, { timeZoneName: "longOffset" }).formatToParts(moment);
  return parts.find((part) => part.type === "timeZoneName").value.replace("GMT", "UTC");
}

function showInViewersZone(root) {
  for (const element of root.querySelectorAll("time[data-moment]")) {
    const iso = element.getAttribute("datetime");
    if (!isElsewhere(iso)) continue;
    const moment = new Date(iso);
    let form = element.dataset.moment;
    // A list by the platform's days cannot name the viewer's day: say it beside the hour.
    if (form === "hour" && moment.getDate() !== Number(iso.slice(8, 10))) form = "full";
    element.title = `${element.textContent} UTC${iso.slice(-6)}`;
    element.textContent = new Intl.DateTimeFormat(language, forms[form]).format(moment);
    const zone = element.parentElement.querySelector("[data-zone]");
    if (zone) zone.textContent = zoneName(moment);
  }
  for (const note of root.querySelectorAll("[data-zone-note]")) {
    const first = document.querySelector("time[data-moment]");
    if (first && isElsewhere(first.getAttribute("datetime"))) {
      note.querySelector("span").textContent = note.dataset.zoneNote.replace("ZONE", zoneName(new Date()));
    }
  }
}

showInViewersZone(document);
