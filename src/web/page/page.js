// Renews the page where it stands, and lets arrow keys move through a calendar. Without it the page reloads itself.
"use strict";

const main = document.getElementById("board");
const seconds = Number(main.dataset.renewSeconds);
const renewal = (text) => {
  for (const line of main.querySelectorAll(".renewal")) line.textContent = text;
};

let isRenewing = false;

async function renew() {
  if (document.hidden || isRenewing) return;
  isRenewing = true;
  try {
    // A tunnel that has died takes the question and never answers.
    const signal = AbortSignal.timeout(Math.max(seconds, 30) * 1000);
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, signal });
    const text = await answer.text();
    // A proxy in between may answer as well; only a page of ours has a board.
    const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("board");
    if (!fresh) throw new Error("no board");
    if (!replace(fresh)) return renewal("Not renewed while you choose a day.");
    document.title = new DOMParser().parseFromString(text, "text/html").title;
    renewal("Renewed every " + seconds + " s.");
  } catch {
    renewal("The daemon does not answer; this is what was known last. Trying again every " + seconds + " s.");
  } finally {
    isRenewing = false;
  }
}

// Whoever is typing, or stands on a cell with the keyboard, stays there.
function replace(fresh) {
  const active = document.activeElement;
  if (active && active.matches("input, button")) return false;
  const link = main.contains(active) ? active.getAttribute("href") : null;
  const alike = () => [...main.querySelectorAll("a")].filter((other) => other.getAttribute("href") === link);
  const nth = alike().indexOf(active);
  const scrolled = [...main.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
  main.replaceChildren(...fresh.childNodes);
  main.querySelectorAll(".scroll").forEach((box, place) => (box.scrollLeft = scrolled[place] || 0));
  if (link) {
    const same = alike()[nth] || alike()[0];
    if (same) same.focus({ preventScroll: true });
  }
  prepare();
  return true;
}

// One cell of each calendar is on the way of the Tab key; arrows move from there.
function prepare() {
  for (const calendar of main.querySelectorAll("table.calendar")) {
    const newest = calendar.querySelector("tbody tr td:last-child a");
    if (newest) newest.tabIndex = 0;
  }
}

// Left and right go a day on, over the ends of months; up and down to the same day of the month above or below.
function neighbour(cell, key) {
  const row = cell.parentElement;
  const rows = [...row.parentElement.rows];
  if (key === "ArrowUp" || key === "ArrowDown") {
    const other = rows[rows.indexOf(row) + (key === "ArrowUp" ? -1 : 1)];
    return other && other.cells[cell.cellIndex] && other.cells[cell.cellIndex].querySelector("a");
  }
  // The newest month is on top.
  const days = rows.reverse().flatMap((month) => [...month.querySelectorAll("a")]);
  return days[days.indexOf(cell.querySelector("a")) + (key === "ArrowLeft" ? -1 : 1)];
}

main.addEventListener("keydown", (event) => {
  // Those are the browser's own.
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const cell = event.target.closest && event.target.closest("table.calendar td");
  if (!cell || !["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].includes(event.key)) return;
  const link = neighbour(cell, event.key);
  if (!link) return;
  event.preventDefault();
  // What may want a look stays on the way of the Tab key.
  if (!event.target.matches(".gap, .partial")) event.target.tabIndex = -1;
  link.tabIndex = 0;
  link.focus();
});

prepare();
renewal("Renewed every " + seconds + " s.");
setInterval(renew, seconds * 1000);
document.addEventListener("visibilitychange", renew);
