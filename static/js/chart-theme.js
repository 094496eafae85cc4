// The one theme of all plots: the platform's colours, light and dark. See static/css/livecourse.css.

const FONT = getComputedStyle(document.documentElement).getPropertyValue("--font").trim()
  || '-apple-system, "Segoe UI", Roboto, "PingFang SC", "Noto Sans CJK SC", "Microsoft YaHei", sans-serif';

const LIGHT = {
  ink: "#15201c", soft: "#46534e", line: "#dfe5e1", surface: "#ffffff", brand: "#0e5c4a", warn: "#c97a00",
  heat: ["#e1efe9", "#7fbfa8", "#0e5c4a"],
  series: ["#0e5c4a", "#c97a00", "#1a73d1", "#b92f1c", "#6b5b95", "#5f6c67"],
};
const DARK = {
  ink: "#ebf1ee", soft: "#b9c5bf", line: "#2a3531", surface: "#171f1c", brand: "#7fd0b4", warn: "#f0b44a",
  heat: ["#17332b", "#2f7d66", "#7fd0b4"],
  series: ["#7fd0b4", "#f0b44a", "#7db9f5", "#ff9c87", "#b9a7e0", "#98a59f"],
};

export function isDark() {
  const root = document.documentElement;
  if (root.hasAttribute("x-data")) return root.classList.contains("dark");
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

export function chartColours() {
  return isDark() ? DARK : LIGHT;
}

export function chartTheme() {
  const colours = chartColours();
  const axis = {
    axisLine: { lineStyle: { color: colours.line } },
    axisTick: { show: false },
    axisLabel: { color: colours.soft },
    nameTextStyle: { color: colours.soft },
    splitLine: { lineStyle: { color: colours.line } },
    splitArea: { show: false },
  };
  return {
    color: colours.series,
    backgroundColor: "transparent",
    textStyle: { fontFamily: FONT, color: colours.ink },
    legend: { textStyle: { color: colours.soft }, itemWidth: 14, itemHeight: 8 },
    tooltip: {
      backgroundColor: colours.surface, borderColor: colours.line, textStyle: { color: colours.ink, fontSize: 12 },
    },
    categoryAxis: axis, valueAxis: axis, timeAxis: axis,
    line: { symbolSize: 7, lineStyle: { width: 2 } },
  };
}
