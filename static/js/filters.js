// With scripts on, filters act at once, so their button goes and the panel stays as it was.

document.documentElement.classList.add("has-script");
const panel = document.querySelector("[data-filters-panel]");
const wide = matchMedia("(min-width: 64rem)");

function openWhereThereIsRoom() {
  panel.open = wide.matches || panel.open;
}

wide.addEventListener("change", openWhereThereIsRoom);
openWhereThereIsRoom();
