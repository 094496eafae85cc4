// Keeps the figures of the desk fresh while the session is live and the page is in sight, and
// draws their curve in place. The texts come with the numbers: nothing is worded here.

import { chartColours, chartTheme } from "./chart-theme.js";

const EVERY_MS = 2000;
const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
const symbols = { pin: "pin", promotion: "diamond", coupon: "roundRect", poll: "circle", draw: "triangle" };

let plot = null;
let drawn = "";

function refresh() {
  if (document.hidden) return;
  for (const box of document.querySelectorAll("[data-refresh]")) {
    // Without an answer yet, its own first request is under way or was lost: ask again.
    if (box.querySelector("[name=seen]")?.dataset.live !== "no") window.htmx?.trigger(box, "refresh");
  }
}

function option(chart) {
  const colours = chartColours();
  const most = Math.max(1, ...chart.viewers.map((one) => one ?? 0));
  return {
    animation: !isStill, animationDurationUpdate: 300,
    grid: { left: 4, right: 4, top: 40, bottom: 4, containLabel: true },
    legend: { top: 0, left: 0, type: "scroll" },
    // Text, not markup: the content security policy lets no markup bring its own style.
    tooltip: { trigger: "axis", renderMode: "richText", confine: true },
    xAxis: { type: "category", data: chart.labels, axisLabel: { hideOverlap: true }, splitLine: { show: false } },
    yAxis: [
      { type: "value", min: 0, minInterval: 1 },
      { type: "value", min: 0, minInterval: 1, splitLine: { show: false } },
    ],
    series: [
      { type: "line", name: chart.names.viewers, data: chart.viewers, showSymbol: false, areaStyle: { opacity: 0.12 }, color: colours.brand },
      { type: "bar", name: chart.names.clicks, data: chart.clicks, yAxisIndex: 1, barMaxWidth: 10, color: colours.series[2] },
      { type: "bar", name: chart.names.orders, data: chart.orders, yAxisIndex: 1, barMaxWidth: 10, color: colours.warn },
      {
        type: "scatter", name: chart.names.marks, color: colours.series[3], symbolSize: 11,
        data: chart.marks.map((mark) => ({
          value: [mark.at, most * 1.12], name: `${mark.label}: ${mark.name}`, symbol: symbols[mark.kind],
          label: {
            show: true, position: mark.at ? "top" : "right", formatter: mark.label, color: colours.soft, fontSize: 11,
          },
        })),
        labelLayout: { hideOverlap: true },
        tooltip: { trigger: "item", formatter: ({ name }) => name },
        markLine: {
          silent: true, symbol: "none", label: { show: false },
          lineStyle: { color: colours.series[3], type: "dashed", opacity: 0.5 },
          data: chart.marks.map((mark) => ({ xAxis: mark.at })),
        },
      },
    ],
  };
}

function draw(isAnew) {
  const box = document.querySelector("[data-figures-plot]");
  const source = document.getElementById("figures-chart");
  if (!box || !source || !window.echarts) return;
  if (plot && (isAnew || plot.getDom() !== box)) {
    plot.dispose();
    plot = null;
  }
  if (plot && drawn === source.textContent) return;
  if (!plot) {
    plot = window.echarts.init(box, chartTheme());
    new ResizeObserver(() => plot?.resize()).observe(box);
  }
  drawn = source.textContent;
  plot.setOption(option(JSON.parse(drawn)), { replaceMerge: ["series"] });
}

// What was folded out stays so when new figures come in.
const opened = new Set();
document.addEventListener("htmx:before:swap", () => {
  opened.clear();
  for (const one of document.querySelectorAll("[data-refresh] details[open]")) opened.add(one.id);
});
document.addEventListener("htmx:after:swap", () => {
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  draw(false);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(true));
document.addEventListener("visibilitychange", refresh);
setInterval(refresh, EVERY_MS);
addEventListener("load", () => draw(false));
