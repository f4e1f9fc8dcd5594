"use strict";

/* The bar charts of the HTML report, drawn with Chart.js in the colors of the page, or in those of paper. */
const AnnotateCharts = (() => {
  const LIGHT = { ink: "#1d2126", quiet: "#5b636d", line: "#dfe3e8", ground: "#ffffff" };
  const DARK = { ink: "#e6e9ec", quiet: "#a3abb5", line: "#3a4149", ground: "#20262d" };
  const PRINT_WIDTH_PX = 680; // fits A4 and Letter
  const FONT = { family: "system-ui, sans-serif", size: 13 };
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  const drawn = new Map();
  let isPrinting = false;

  const colors = () => (scheme.matches && !isPrinting ? DARK : LIGHT);
  const percent = (share, digits = 0) => share.toLocaleString(document.documentElement.lang, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits });
  const isHorizontal = (axis) => axis === "y";

  /* A stacked bar for each label. ``axis`` is that of the labels: "y" for horizontal bars of shares, which fill the width. */
  function configOf({ axis, labels, series, labelTitle, valueTitle, tooltip }) {
    const { ink, quiet, line, ground } = colors();
    const title = (text) => ({ display: Boolean(text), text, color: ink, font: FONT });
    const labelAxis = { stacked: true, grid: { display: false }, border: { color: line }, ticks: { color: quiet, font: FONT, maxRotation: 0, autoSkipPadding: 12 }, title: title(labelTitle) };
    const valueAxis = { stacked: true, beginAtZero: true, grid: { color: line }, border: { display: false }, ticks: { color: quiet, font: FONT }, title: title(valueTitle) };
    if (isHorizontal(axis)) Object.assign(valueAxis, { max: 1, display: false });
    if (isHorizontal(axis)) Object.assign(labelAxis, { border: { display: false }, display: labels.some(Boolean) });
    return {
      type: "bar",
      data: {
        labels,
        datasets: series.map(({ name, colour, values }) => ({ label: name, data: values, backgroundColor: colour, maxBarThickness: isHorizontal(axis) ? 40 : undefined, barPercentage: 0.92, categoryPercentage: 1 })),
      },
      options: {
        indexAxis: axis,
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        interaction: { mode: isHorizontal(axis) ? "nearest" : "index", intersect: isHorizontal(axis), axis: isHorizontal(axis) ? "xy" : "x" },
        scales: isHorizontal(axis) ? { x: valueAxis, y: labelAxis } : { x: labelAxis, y: valueAxis },
        plugins: {
          legend: { display: false },
          tooltip: {
            backgroundColor: ground, borderColor: line, borderWidth: 1, titleColor: ink, bodyColor: ink, titleFont: FONT, bodyFont: FONT,
            filter: ({ raw }) => raw > 0,
            callbacks: { label: ({ dataset, raw }) => `${dataset.label}: ${tooltip(raw)}` },
          },
        },
      },
    };
  }

  /* Draws a chart in an element, in place of an earlier one. */
  function draw(element, description) {
    remove(element);
    const canvas = document.createElement("canvas");
    element.replaceChildren(canvas);
    drawn.set(element, { description, chart: new window.Chart(canvas, configOf(description)) });
  }

  function remove(element) {
    if (drawn.has(element)) drawn.get(element).chart.destroy();
    drawn.delete(element);
  }

  function recolor() {
    for (const { description, chart } of drawn.values()) {
      chart.options = configOf(description).options;
      chart.update();
    }
  }

  function print(isPrint) {
    isPrinting = isPrint;
    recolor();
    for (const [element, { chart }] of drawn) if (element.offsetParent) chart.resize(...(isPrint ? [PRINT_WIDTH_PX, element.clientHeight] : []));
  }

  scheme.addEventListener("change", recolor);
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));
  return { draw, remove, percent };
})();
