// Draws the plots of the admin's overview from the numbers in the page. The texts come with
// the numbers: nothing is worded or rounded here.

import { chartColours, chartTheme } from "./chart-theme.js";

const data = JSON.parse(document.getElementById("dashboard-charts").textContent);
const grid = { left: 8, right: 16, top: 36, bottom: 8, containLabel: true };
const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;

function escaped(text) {
  const box = document.createElement("span");
  box.textContent = text;
  return box.innerHTML;
}

function told(name, text) {
  return `${escaped(name)}<br><b>${escaped(text)}</b>`;
}

function bars(points, colour, dashed) {
  // One vertical line per point, between the ends of its interval.
  return {
    type: "custom", silent: true, z: 1, itemStyle: { color: colour },
    data: points.map((point) => [point.at, point.low, point.high]),
    encode: { x: 0, y: [1, 2] },
    renderItem(_params, api) {
      const low = api.coord([api.value(0), api.value(1)]);
      const high = api.coord([api.value(0), api.value(2)]);
      return {
        type: "line", shape: { x1: low[0], y1: low[1], x2: high[0], y2: high[1] },
        style: { stroke: colour, lineWidth: 3, opacity: 0.35, lineDash: dashed ? [4, 3] : null },
      };
    },
  };
}

const kinds = {
  rates(chart, colours) {
    const points = (list) => list.map((one) => ({ value: [one.at, one.rate], name: one.name, text: one.text }));
    return {
      grid, legend: { top: 0, data: [chart.names.past, chart.names.ahead] },
      tooltip: { trigger: "item", formatter: ({ data: one }) => told(one.name, one.text) },
      xAxis: { type: "time", axisLabel: { hideOverlap: true } },
      yAxis: { type: "value", min: 0, axisLabel: { formatter: "{value}%" } },
      series: [
        { name: chart.names.bars, ...bars(chart.past, colours.brand, false) },
        { name: chart.names.bars, ...bars(chart.ahead, colours.warn, true) },
        { name: chart.names.past, type: "line", data: points(chart.past), color: colours.brand, z: 3 },
        {
          name: chart.names.ahead, type: "scatter", data: points(chart.ahead), symbolSize: 10, z: 3,
          color: colours.warn, itemStyle: { color: colours.surface, borderColor: colours.warn, borderWidth: 2 },
        },
      ],
    };
  },
  heat(chart, colours) {
    const values = chart.cells.map((cell) => cell.value);
    return {
      grid: { ...grid, top: 8, bottom: 44 },
      tooltip: { formatter: ({ data: one }) => told(one.name, one.text) },
      xAxis: { type: "category", data: chart.columns, splitLine: { show: false }, axisLabel: { hideOverlap: true } },
      yAxis: { type: "category", data: chart.rows, inverse: true, splitLine: { show: false } },
      visualMap: {
        min: Math.min(...values), max: Math.max(...values, Math.min(...values) + 0.1), calculable: false,
        orient: "horizontal", left: "center", bottom: 0, itemHeight: 120, itemWidth: 12, precision: 1,
        inRange: { color: colours.heat }, textStyle: { color: colours.soft }, formatter: (value) => `${value.toFixed(1)}%`,
      },
      series: [{
        type: "heatmap",
        data: chart.cells.map((cell) => ({ value: [cell.column, cell.row, cell.value], name: cell.name, text: cell.text })),
        itemStyle: { borderColor: colours.surface, borderWidth: 2, borderRadius: 3 },
      }],
    };
  },
  bars(chart) {
    return upright(chart, "bar", 0);
  },
  lines(chart) {
    return upright(chart, "line", null);
  },
  across(chart, colours) {
    const cut = (text) => (text.length > 12 ? `${text.slice(0, 11)}…` : text);
    return {
      grid: { ...grid, top: chart.series.length > 1 ? 32 : 8 },
      legend: { show: chart.series.length > 1, top: 0 },
      tooltip: { trigger: "item", formatter: tip },
      xAxis: { type: "value", min: 0, minInterval: chart.unit == null ? 1 : null, axisLabel: { formatter: `{value}${chart.unit ?? ""}`, hideOverlap: true } },
      yAxis: { type: "category", inverse: true, data: chart.labels, axisLabel: { formatter: cut } },
      series: chart.series.map((one) => ({
        type: "bar", name: one.name, stack: chart.is_stacked ? "all" : null, barMaxWidth: 18,
        color: { warn: colours.warn, third: colours.series[2] }[one.tone] ?? colours.brand, data: cells(one),
      })),
    };
  },
};

function cells(series) {
  return series.values.map((value, at) => ({ value, text: series.texts?.[at] ?? String(value) }));
}

function tip({ name, seriesName, data: one }) {
  return told(`${name} · ${seriesName}`, one.text);
}

function upright(chart, type, usual) {
  const least = chart.min ?? usual;
  return {
    grid: { ...grid, top: chart.series.length > 1 ? 36 : 16 },
    legend: { show: chart.series.length > 1, top: 0 },
    tooltip: { trigger: "item", formatter: tip },
    xAxis: {
      type: "category", data: chart.labels, splitLine: { show: false },
      axisLabel: { hideOverlap: true, interval: chart.labels.length > 6 ? "auto" : 0 },
    },
    yAxis: {
      type: "value", min: least, max: chart.max ?? null, scale: least === null,
      axisLabel: { formatter: chart.unit ? `{value}${chart.unit}` : null },
    },
    series: chart.series.map((one) => ({ type, name: one.name, data: cells(one), barMaxWidth: 28, connectNulls: true })),
  };
}

const drawn = new Map();

function draw() {
  for (const box of document.querySelectorAll("[data-chart]")) {
    drawn.get(box)?.dispose();
    const chart = data[box.dataset.chart];
    const plot = window.echarts.init(box, chartTheme(), { renderer: "svg" });
    plot.setOption({ animation: !isStill, aria: { enabled: false }, ...kinds[chart.kind](chart, chartColours()) });
    drawn.set(box, plot);
  }
}

function begin() {
  draw();
  new ResizeObserver(() => drawn.forEach((plot) => plot.resize())).observe(document.querySelector(".lc-dashboard"));
  // The theme switch of the admin sets a class on the root element.
  let dark = document.documentElement.classList.contains("dark");
  new MutationObserver(() => {
    const now = document.documentElement.classList.contains("dark");
    if (now !== dark) {
      dark = now;
      draw();
    }
  }).observe(document.documentElement, { attributeFilter: ["class"] });
}

begin();
