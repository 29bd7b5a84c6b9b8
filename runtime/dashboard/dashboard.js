// Polls /live once a second and draws what it says; docs/http.md.
'use strict';

const $ = id => document.getElementById(id);
const seconds = 120;
const history = [];
let before = null;
let handled = null; // messages, when it was last looked

// Everything from the server is text, never markup.
function element(name, attributes = {}, ...children) {
  const svg = ['svg', 'rect', 'text', 'path', 'line', 'polyline', 'title'].includes(name);
  const e = svg ? document.createElementNS('http://www.w3.org/2000/svg', name)
                : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.append(...children);
  return e;
}

const sum = (nodes, key) => nodes.reduce((n, x) => n + x[key], 0);
const number = x => x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2);
const share = (part, whole) => whole > 0 ? part / whole : 0;
const percent = x => (100 * x).toFixed(x > 0 && x < 0.1 ? 1 : 0) + ' %';

// -- now ----------------------------------------------------------------------

function tiles(live) {
  const nodes = live.nodes;
  const at = performance.now();
  const steps = sum(nodes, 'steps');
  $('requests').textContent = live.requests;
  $('running').textContent = sum(nodes, 'sequences');
  $('waiting').textContent = sum(nodes, 'waiting');
  $('blocks').textContent = percent(share(sum(nodes, 'blocks_in_use'), sum(nodes, 'blocks_total')));
  if (before && steps >= before.steps)
    $('steps').textContent = (1000 * (steps - before.steps) / (at - before.at)).toFixed(0);
  const rates = new Map();
  for (const n of nodes) {
    const old = before?.byNode.get(n.node);
    if (old !== undefined && n.steps >= old)
      rates.set(n.node, 1000 * (n.steps - old) / (at - before.at));
  }
  before = {at, steps, byNode: new Map(nodes.map(n => [n.node, n.steps]))};
  return rates;
}

function chart() {
  const [width, height, foot] = [600, 140, 18];
  const most = Math.max(4, ...history.map(h => Math.max(h.running, h.waiting)));
  const x = i => width * (seconds - history.length + i) / (seconds - 1);
  const y = v => 4 + (height - foot - 8) * (1 - v / most);
  const line = key => element('polyline', {
    class: 'line ' + key,
    points: history.map((h, i) => `${x(i).toFixed(1)},${y(h[key]).toFixed(1)}`).join(' '),
  });
  const rule = v => element('line', {class: 'grid', x1: 0, x2: width, y1: y(v), y2: y(v)});
  $('chart').replaceChildren(
      rule(0), rule(most / 2), rule(most),
      element('text', {x: 2, y: y(most) + 12}, String(most)),
      element('text', {x: 2, y: height - 4}, '2 min ago'),
      element('text', {x: width - 2, y: height - 4, 'text-anchor': 'end'}, 'now'),
      line('waiting'), line('running'));
}

// What a request spends its time on, in the order in which it comes to it.
function stages(all) {
  $('stages').replaceChildren(...all.filter(s => s.count > 0).map(s => element(
      'tr', {}, element('td', {}, s.stage),
      ...[s.p50_ms, s.p95_ms, s.p99_ms].map(v => element('td', {}, number(v) + ' ms')),
      element('td', {}, String(s.count)))));
}

function latency(all) {
  const rows = [['ttft_ms', 'first token'], ['tpot_ms', 'each token'], ['answer_ms', 'answer']];
  $('latency').replaceChildren(...rows.map(([key, name]) => {
    const l = all[key];
    const cell = v => element('td', {}, l.count > 0 ? number(v) + ' ms' : '–');
    return element('tr', {}, element('td', {}, name), cell(l.p50), cell(l.p95), cell(l.p99),
                   element('td', {}, String(l.count)));
  }));
}

// -- nodes --------------------------------------------------------------------

const called = n => n.name || `${n.role} ${n.node}`;

// Messages a second of each kind of actor; none where it is not known yet.
function messageRates(actors) {
  const at = performance.now();
  const rates = new Map();
  for (const a of actors) {
    const old = handled?.byName.get(a.actor);
    if (old !== undefined && a.messages >= old)
      rates.set(a.actor, 1000 * (a.messages - old) / (at - handled.at));
  }
  handled = {at, byName: new Map(actors.map(a => [a.actor, a.messages]))};
  return rates;
}

const perSecond = rate => rate === undefined ? '' : `${rate.toFixed(0)} messages/s`;

function actors(all, rates) {
  $('actors').replaceChildren(...all.filter(a => a.alive > 0).map(a => element(
      'li', {class: rates.get(a.actor) >= 1 ? 'busy' : ''},
      element('b', {}, a.actor.replaceAll('_', ' ')), a.alive > 1 ? ` × ${a.alive} ` : ' ',
      element('span', {class: 'small'}, perSecond(rates.get(a.actor))))));
}

function picture(live, rates, messages) {
  const nodes = live.nodes;
  const [row, box] = [44, 32];
  const height = Math.max(2, nodes.length) * row;
  const middle = height / 2;
  const svg = $('picture');
  svg.setAttribute('viewBox', `0 0 900 ${height}`);
  const parts = [];
  const actor = (x, y, width, name, note, busy) => parts.push(
      element('rect', {class: 'box' + (busy ? ' busy' : ''), x, y: y - box / 2, width, height: box, rx: 6}),
      element('text', {class: 'name', x: x + 10, y: y + 4}, name),
      element('text', {x: x + width - 10, y: y + 4, 'text-anchor': 'end'}, note));
  const edge = (x1, y1, x2, y2, busy) => parts.push(element('path', {
    class: 'edge' + (busy ? ' busy' : ''),
    d: `M${x1},${y1} C${(x1 + x2) / 2},${y1} ${(x1 + x2) / 2},${y2} ${x2},${y2}`,
  }));
  const busy = live.requests > 0;
  edge(180, middle, 280, middle, busy);
  nodes.forEach((n, i) => edge(460, middle, 560, row / 2 + i * row, n.sequences > 0));
  actor(0, middle, 180, 'gateway', perSecond(messages.get('gateway')), busy);
  actor(280, middle, 180, 'sessions', String(live.requests), busy);
  nodes.forEach((n, i) => {
    const rate = rates.get(n.node);
    actor(560, row / 2 + i * row, 340, called(n),
          rate === undefined ? '' : `${n.sequences} sequences, ${rate.toFixed(0)} steps/s`,
          n.sequences > 0);
  });
  svg.replaceChildren(...parts);
}

// A cell for each block, where it lies; where they are too many for that, one
// for several that shows the first of them that is not free.
const kinds = ['used', 'shared', 'kept'];
function map(n) {
  const runs = n.map ?? [];
  const end = runs.reduce((most, [first, blocks]) => Math.max(most, first + blocks), 0);
  const blocks = Math.max(n.blocks_total, end);
  const [columns, size, most] = [128, 10, 1024];
  const each = Math.ceil(blocks / most);
  const count = Math.ceil(blocks / each);
  const cells = Array(count).fill(null);
  for (const run of runs)
    for (let i = run[0]; i < run[0] + run[1]; ++i) cells[Math.floor(i / each)] ??= run;
  const svg = element('svg', {
    class: 'map', viewBox: `0 0 ${columns * size} ${Math.ceil(count / columns) * size}`,
    role: 'img',
    'aria-label': `${n.blocks_in_use} of ${n.blocks_total} blocks in use, ${n.cached_blocks} kept`,
  });
  cells.forEach((run, i) => {
    const cell = element('rect', {
      class: run ? kinds[run[2]] : 'free',
      x: i % columns * size, y: Math.floor(i / columns) * size,
      width: size - 2, height: size - 2, rx: 1,
    });
    if (run && run[3] !== '0') {
      cell.append(element('title', {}, `request ${run[3]}`));
      const turn = Number(BigInt(run[3]) * 47n % 60n) - 30; // neighbours differ
      cell.style.filter = `hue-rotate(${turn}deg)`;
    }
    svg.append(cell);
  });
  return svg;
}

function nodes(live) {
  $('nodes').replaceChildren(...live.nodes.map(n => element(
      'div', {class: 'node'},
      element('p', {}, element('b', {}, called(n)),
              element('span', {}, `version ${n.version}`),
              element('span', {}, `${n.sequences} sequences, ${n.waiting} waiting, largest batch ${n.largest_batch}`),
              element('span', {class: 'small'},
                      `${n.blocks_in_use} in use, ${n.cached_blocks} kept of ${n.blocks_total} KV blocks`)),
      map(n))));
}

// -- versions and tenants -----------------------------------------------------

function bar(part, kind = '') {
  const b = element('div', {class: 'bar'});
  const i = element('i', {class: kind});
  i.style.width = 100 * Math.min(1, Math.max(0, part)) + '%';
  b.append(i);
  return b;
}

function versions(v) {
  const all = v.versions.map(x => {
    const part = x.id === v.canary ? v.share : x.id === v.active ? 1 - v.share : 0;
    return element(
        'div', {class: 'entry'},
        element('p', {}, element('span', {}, `${x.name} `, element('span', {class: 'small'}, `version ${x.id}`)),
                element('span', {class: 'small'}, `${x.role}, ${x.state}, ${x.under_way} under way, ${percent(part)}`)),
        bar(part, x.id === v.canary ? 'canary' : ''));
  });
  if (v.evidence)
    all.push(element('p', {class: 'small'}, v.evidence));
  const events = v.events.slice(-5).reverse().map(e => element(
      'li', {}, `${new Date(e.unix_ms).toLocaleTimeString()} ${e.name}: ${e.event}${e.why ? ', ' + e.why : ''}`));
  $('versions').replaceChildren(...all, element('ul', {class: 'events'}, ...events));
}

function tenants(all) {
  if (all.length === 0) {
    $('tenants').replaceChildren(element('p', {class: 'small'}, 'no limits are configured'));
    return;
  }
  $('tenants').replaceChildren(...all.slice(0, 50).map(t => element(
      'div', {class: 'entry'},
      element('p', {}, element('span', {}, t.organisation || '(nobody)'),
              element('span', {class: 'small'}, `${t.under_way} under way`)),
      ...Object.entries(t.limits).flatMap(([what, l]) => [
        element('p', {class: 'small'}, element('span', {}, what.replace('_', ' ')),
                element('span', {}, `${l.left} of ${l.burst}`)),
        bar(share(l.left, l.burst)),
      ]))));
}

// -- requests -----------------------------------------------------------------

// Where requests are found: nowhere, here, or with operators. Reading them takes
// the server some work, so it is done when somebody wants it.
let tracePlace = null;
let chosen = null; // request

const hints = {
  nowhere: 'nothing is recorded: start with --trace FILE',
  operators: 'recorded; look at it at the operators\' port: start with --admin-port PORT',
};

function trace(place) {
  if (place === tracePlace) return;
  tracePlace = place;
  $('trace-look').hidden = place !== 'here';
  if (place === 'here') lookAtRequests();
  else $('trace-note').textContent = hints[place];
}

const orNone = ms => ms === null ? '–' : number(ms) + ' ms';

async function fromTrace(path) {
  const answer = await fetch('admin/trace/requests' + path, {signal: AbortSignal.timeout(60000)});
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error.message);
  return body;
}

function requestRow(r) {
  const pick = element('button', {type: 'button'}, r.request);
  pick.addEventListener('click', () => lookAtRequest(r.request));
  return element(
      'tr', {class: r.request === chosen ? 'chosen' : ''}, element('td', {}, pick),
      ...[new Date(r.unix_ms).toLocaleTimeString(), r.state, String(r.token_messages), orNone(r.ttft_ms), orNone(r.ms)]
          .map(text => element('td', {}, text)));
}

async function lookAtRequests() {
  $('trace-look').disabled = true;
  $('trace-note').textContent = 'reading';
  try {
    const all = await fromTrace('');
    $('trace-list').replaceChildren(...all.requests.map(requestRow));
    $('trace-note').textContent = all.note ||
        (all.requests.length > 0 ? `the last ${all.requests.length}` : 'none yet');
  } catch (e) {
    $('trace-note').textContent = `failed: ${e.message}`;
  }
  $('trace-look').disabled = false;
}

// Without a first token, where the time until the end went.
function pathRows(path) {
  if (!path) return [];
  const ms = ns => (ns * 1e-6).toFixed(3);
  return path.hops.map(h => {
    const whole = h.wire_ns + h.queue_ns + h.handling_ns + h.held_ns;
    return element(
        'tr', {}, element('td', {}, h.actor),
        ...[h.type, String(h.times), ms(h.wire_ns), ms(h.queue_ns), ms(h.handling_ns), ms(h.held_ns),
            ms(whole), percent(share(whole, path.whole_ns))].map(text => element('td', {}, text)));
  });
}

async function lookAtRequest(request) {
  chosen = request;
  for (const row of $('trace-list').children)
    row.className = row.querySelector('button').textContent === request ? 'chosen' : '';
  try {
    const r = await fromTrace('/' + request);
    if (chosen !== request) return;
    const path = r.first_token ?? r.end;
    $('trace-title').textContent = `Request ${r.request}: ${r.state}, ${r.messages} messages`;
    $('trace-why').textContent = [r.why, r.note].filter(text => text).join(' ');
    $('trace-until').textContent =
        r.first_token ? 'until the first token, ms' : r.end ? 'until the end, ms' : 'no token yet';
    $('trace-path').replaceChildren(...pathRows(path));
    // A picture runs nothing and loads nothing, whatever is written in it.
    $('trace-diagram').src = 'data:image/svg+xml;charset=utf-8,' + encodeURIComponent(r.diagram);
    $('trace-diagram').alt = `Sequence diagram of request ${r.request}`;
    $('trace-one').hidden = false;
  } catch (e) {
    $('trace-note').textContent = `failed: ${e.message}`;
  }
}

$('trace-look').addEventListener('click', lookAtRequests);

// -- polling ------------------------------------------------------------------

function say(text, kind) {
  const s = $('state');
  if (s.textContent !== text) s.textContent = text;
  s.className = kind;
}

async function look() {
  try {
    const answer = await fetch('live', {signal: AbortSignal.timeout(15000)});
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const live = await answer.json();
    const active = live.versions.versions.find(v => v.id === live.versions.active);
    live.version_name = active ? active.name : '';
    $('model').textContent = live.model;
    const rates = tiles(live);
    history.push({running: sum(live.nodes, 'sequences'), waiting: sum(live.nodes, 'waiting')});
    if (history.length > seconds) history.shift();
    chart();
    latency(live.latency);
    stages(live.stages ?? []);
    const messages = messageRates(live.actors);
    picture(live, rates, messages);
    actors(live.actors, messages);
    nodes(live);
    versions(live.versions);
    tenants(live.tenants);
    trace(live.trace);
    // One that does not answer is waited for.
    if (live.silent.length > 0) say(`silent: node ${live.silent.join(', ')}`, 'gone');
    else say('live', 'live');
  } catch (e) {
    before = handled = null;
    say('the server does not answer; trying again', 'gone');
  }
  setTimeout(look, 1000);
}

// -- a prompt -----------------------------------------------------------------

let running = null;

async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    text += value;
    for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
      const data = text.slice(0, end).replace(/^data: /, '');
      if (data === '[DONE]') return;
      yield JSON.parse(data);
    }
  }
}

async function ask() {
  running = new AbortController();
  $('send').disabled = true;
  $('stop').disabled = false;
  $('answer').textContent = '';
  $('speed').textContent = '';
  const begun = performance.now();
  let first = 0, tokens = 0;
  try {
    const answer = await fetch('v1/chat/completions', {
      method: 'POST',
      headers: {'content-type': 'application/json'},
      body: JSON.stringify({
        messages: [{role: 'user', content: $('prompt').value}],
        max_tokens: Number($('tokens').value), temperature: Number($('temperature').value),
        stream: true, stream_options: {include_usage: true},
      }),
      signal: running.signal,
    });
    if (!answer.ok) throw new Error((await answer.json()).error.message);
    for await (const e of events(answer)) {
      if (e.error) throw new Error(e.error.message);
      const text = e.choices?.[0]?.delta?.content;
      if (text) {
        first ||= performance.now();
        $('answer').append(text);
        $('answer').scrollTop = $('answer').scrollHeight;
      }
      if (e.usage) tokens = e.usage.completion_tokens;
    }
    const rate = tokens > 1 ? `, ${(1000 * (tokens - 1) / (performance.now() - first)).toFixed(0)} tokens/s` : '';
    $('speed').textContent = `${tokens} tokens, first after ${(first - begun).toFixed(0)} ms${rate}`;
  } catch (e) {
    $('speed').textContent = e.name === 'AbortError' ? 'stopped' : `failed: ${e.message}`;
  }
  running = null;
  $('send').disabled = false;
  $('stop').disabled = true;
}

document.querySelector('#try form').addEventListener('submit', e => {
  e.preventDefault();
  if (!running) ask();
});
$('stop').addEventListener('click', () => running?.abort());
look();
