// The page: a card for each company, and a chart of all of them.

const COMPANIES = { AAPL: 'Apple', AMZN: 'Amazon', GOOG: 'Google', IBM: 'IBM', MSFT: 'Microsoft' };
const SUBJECT_PREFIX = '/stocks/';
const HISTORY = 200;
/** The years of the recording. */
const FIRST = Date.UTC(2000, 0, 1);
const LAST = Date.UTC(2010, 5, 1);
/** Prices at which the scale has a line. */
const TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
/** Room around the lines, for the scale, the years and the names. */
const MARGIN = { top: 12, right: 52, bottom: 24, left: 44 };
/** Least distance between two names, in pixels. */
const LABEL_STEP = 14;
const SVG = 'http://www.w3.org/2000/svg';

const chart = document.getElementById('chart');
const dollars = new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD' });
const month = new Intl.DateTimeFormat('en-US', { month: 'short', year: 'numeric', timeZone: 'UTC' });

/** Points, latest price and card of each company. */
const series = new Map(
  Object.entries(COMPANIES).map(([symbol, name]) => [
    symbol,
    { symbol, points: [], price: undefined, card: addCard(symbol, name) },
  ]),
);
let draw_is_due = false;
/** When the recording began again: what was published before is not drawn any more. */
let round_began_ms = 0;

function addCard(symbol, name) {
  const card = document.createElement('li');
  card.style.setProperty('--series', `var(--${symbol.toLowerCase()})`);
  for (const [part, text] of [
    ['symbol', symbol],
    ['name', ` ${name}`],
    ['price', '–'],
    ['change', ' '],
  ]) {
    const element = document.createElement('span');
    element.className = part;
    element.textContent = text;
    card.append(element);
  }
  document.getElementById('companies').append(card);
  return card;
}

/** A message of a company: a price with its date, or a number alone. */
function take({ subject, content, time_ms }) {
  const company = series.get(subject.slice(SUBJECT_PREFIX.length));
  let value;
  try {
    value = JSON.parse(content);
  } catch {
    return; // somebody published something else here
  }
  const price = typeof value === 'number' ? value : value?.price;
  if (typeof price !== 'number' || !(price > 0)) return;
  const time = typeof value === 'object' ? Date.parse(value.date) : NaN;
  if (!Number.isNaN(time)) {
    company.points = currentPoints(company);
    if (time <= company.points.at(-1)?.time) round_began_ms = time_ms; // the recording begins again
    company.points.push({ time, price, time_ms });
  }
  company.price = price;
  company.when = time;
  draw_is_due = true;
}

const currentPoints = ({ points }) => points.filter((point) => point.time_ms >= round_began_ms);

function showCard({ points, price, when, card }) {
  const part = (name) => card.querySelector(`.${name}`);
  part('price').textContent = price === undefined ? '–' : dollars.format(price);
  const before = points.at(-2)?.price;
  const change = before === undefined || Number.isNaN(when) ? undefined : (price / before - 1) * 100;
  const date = Number.isNaN(when) || when === undefined ? '' : month.format(when);
  const sign = change === undefined ? '' : change < 0 ? 'down' : 'up';
  const arrow = { up: '▲', down: '▼', '': '' }[sign];
  part('change').dataset.sign = sign;
  part('change').textContent = change === undefined ? `${date} ` : `${arrow} ${Math.abs(change).toFixed(1)} % ${date}`;
}

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function draw() {
  const { width, height } = chart.getBoundingClientRect();
  const all = [...series.values()].flatMap((company) => currentPoints(company).map(({ price }) => price));
  const low = Math.log(Math.min(5, ...all) * 0.9);
  const high = Math.log(Math.max(200, ...all) * 1.1);
  const x = (time) => MARGIN.left + ((time - FIRST) / (LAST - FIRST)) * (width - MARGIN.left - MARGIN.right);
  const y = (price) =>
    height - MARGIN.bottom - ((Math.log(price) - low) / (high - low)) * (height - MARGIN.top - MARGIN.bottom);
  chart.replaceChildren(...drawScale(width, height, x, y, low, high), ...drawSeries(x, y));
}

function drawScale(width, height, x, y, low, high) {
  const lines = TICKS.filter((tick) => Math.log(tick) > low && Math.log(tick) < high).flatMap((tick) => [
    element('line', { class: 'grid', x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick) }),
    element('text', { x: MARGIN.left - 8, y: y(tick) + 4, 'text-anchor': 'end' }, tick),
  ]);
  const every = width < 500 ? 2 : 1;
  for (let year = 2000; year <= 2010; year += every) {
    lines.push(element('text', { x: x(Date.UTC(year, 0, 1)), y: height - 6, 'text-anchor': 'middle' }, year));
  }
  return lines;
}

function drawSeries(x, y) {
  const drawn = [];
  const labels = [];
  for (const company of series.values()) {
    const { symbol } = company;
    const points = currentPoints(company);
    if (points.length === 0) continue;
    const style = `--series: var(--${symbol.toLowerCase()})`;
    const path = points.map(({ time, price }) => `${x(time).toFixed(1)},${y(price).toFixed(1)}`).join(' ');
    const end = points.at(-1);
    drawn.push(
      element('polyline', { class: 'series', points: path, style, 'data-symbol': symbol }),
      element('circle', { class: 'end', cx: x(end.time), cy: y(end.price), r: 3.5, style }),
    );
    labels.push({ symbol, style, x: x(end.time) + 7, y: y(end.price) + 4 });
  }
  // Names that would cover each other move down.
  labels.sort((a, b) => a.y - b.y);
  labels.forEach((label, index) => {
    if (index > 0) label.y = Math.max(label.y, labels[index - 1].y + LABEL_STEP);
    drawn.push(element('text', { class: 'label', x: label.x, y: label.y, style: label.style }, label.symbol));
  });
  return drawn;
}

/** Draws at most once a frame, however many messages come. */
function drawIfDue() {
  if (draw_is_due) {
    draw_is_due = false;
    draw();
    for (const company of series.values()) showCard(company);
    document.getElementById('hint').hidden = [...series.values()].some(({ price }) => price !== undefined);
  }
  requestAnimationFrame(drawIfDue);
}

/** Address of the server: `?server=`, or where the page came from. */
function address() {
  const given = new URLSearchParams(location.search).get('server');
  if (given?.includes('://')) return given;
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  return `${scheme}://${given || location.host || 'localhost:8800'}/ws`;
}

new Feed(
  address(),
  Object.keys(COMPANIES).map((symbol) => SUBJECT_PREFIX + symbol),
  HISTORY,
  {
    state(tone, words) {
      const state = document.getElementById('state');
      state.dataset.tone = tone;
      state.textContent = words;
    },
    begin(subject, recovery) {
      if (recovery !== 'complete') {
        series.get(subject.slice(SUBJECT_PREFIX.length)).points = [];
        draw_is_due = true;
      }
      const words = {
        complete: 'Resumed: nothing was missed.',
        gap: 'Resumed with a gap: the chart was built anew.',
        reset: 'The server began anew, and so did the chart.',
      };
      document.getElementById('recovery').textContent = words[recovery] ?? '';
    },
    message: take,
  },
);
new ResizeObserver(() => (draw_is_due = true)).observe(chart);
drawIfDue();
