// A browser looks at the dashboard of a server of its own:
// node dashboard.mjs TROUPE MODEL [SCREENSHOT [SCREENSHOT OF A REQUEST]]
// Ends with 77, which ctest counts as skipped, where there is no browser.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';

const browserPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
let chromium;
try {
  ({chromium} = await import('playwright-core'));
} catch {
}
if (!chromium || !browserPath) {
  console.log('skipped: playwright-core or chromium is not installed; ./dev setup does that');
  process.exit(77);
}

const [program, model, screenshot, requestScreenshot] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'dashboard-'));
process.on('exit', () => rmSync(folder, {recursive: true, force: true}));

// A server, and where it says that it listens.
async function serve(...flags) {
  const server = spawn(
      program,
      ['serve', '--port', '0', '--admin-port', '0', '--model', model, '--threads', '1', ...flags],
      {stdio: ['ignore', 'ignore', 'pipe']});
  process.on('exit', () => server.kill('SIGKILL'));
  const [base, admin] = await new Promise((found, failed) => {
    const lines = createInterface({input: server.stderr});
    let api;
    lines.on('line', line => {
      const at = line.match(/at (http:\/\/[^/]+)(\/\S*)?$/);
      if (!at) return;
      if (line.startsWith('operators')) found([api, at[1]]);
      else api = at[1];
    });
    lines.on('close', () => failed(new Error('the server ended')));
  });
  return {server, base, admin};
}
const {server, base, admin} = await serve('--topology', '1x1', '--trace', join(folder, 't.trace'));

const browser = await chromium.launch({executablePath: browserPath, args: ['--no-sandbox']});
const page = await browser.newPage({viewport: {width: 1280, height: 1000}});
const complaints = [];
page.on('pageerror', e => complaints.push(e.message));
page.on('console', m => {
  if (m.type() === 'error') complaints.push(m.text());
});
const text = id => page.locator('#' + id).innerText();
// Not page.waitForFunction, which the page's policy does not let evaluate texts.
async function comes(what, holds) {
  for (let i = 0; i < 2400; ++i) {
    if (await holds()) return;
    await page.waitForTimeout(50);
  }
  throw new Error(`in vain: ${what}`);
}
const until = (id, wanted) => comes(
    `#${id} ${wanted}`,
    async () => new RegExp(wanted).test(await page.locator('#' + id).textContent()));

// On both ports.
for (const at of [base, admin]) {
  await page.goto(at + '/');
  await until('state', '^live$');
}
assert.equal(await page.locator('.node').count(), 2);
assert.match(await text('versions'), /active, ready/);
await until('trace-note', '^none yet$');

// A prompt streams, and the numbers follow.
await page.fill('#tokens', '200');
await page.evaluate(() => {
  const answer = document.getElementById('answer');
  window.lengths = [];
  new MutationObserver(() => window.lengths.push(answer.textContent.length))
      .observe(answer, {childList: true, characterData: true, subtree: true});
});
await page.click('#send');
await until('speed', 'tokens, first after');
const lengths = await page.evaluate(() => window.lengths);
assert.ok(lengths.filter(n => n > 0).length > 2, `grew to ${lengths}`);
await until('latency', 'first token[0-9.]+ ms');
// Where the time went, and who did what.
await until('stages', 'prefill[0-9.]+ ms.*decode[0-9.]+ ms');
await until('actors', 'gateway.*messages/s');

// What it went through, from its trace: there is a button for it.
await page.click('#trace-look');
await until('trace-list', 'ended[0-9]+[0-9.]* ms');
assert.equal(await page.locator('#trace-list tr').count(), 1);
await page.click('#trace-list button');
await until('trace-title', '^Request [0-9]+: ended, [0-9]+ messages$');
await until('trace-path', 'gateway#.*session#.*prefill_node#');
const shares = await page.locator('#trace-path td:last-child').allInnerTexts();
const whole = shares.reduce((sum, s) => sum + parseFloat(s), 0);
assert.ok(whole > 97 && whole < 103, `shares of ${shares}`);
await comes('the diagram', () => page.locator('#trace-diagram').evaluate(i => i.complete && i.naturalWidth > 400));
if (requestScreenshot) await page.locator('#trace').screenshot({path: requestScreenshot});
// Elsewhere than at the operators' port it says where to go.
await page.goto(base + '/');
await until('trace-note', 'operators\' port');
assert.equal((await fetch(base + '/admin/trace/requests')).status, 404);
await page.goto(admin + '/');
await until('trace-note', '^the last 1$');

// One that is stopped at its first word says so, and frees its KV. It would go
// on for long.
await page.route('**/v1/chat/completions', r => r.continue({
  postData: JSON.stringify({...r.request().postDataJSON(), max_tokens: 1900, ignore_eos: true}),
}));
// Where the browser has to wait for a core, all of it may have come by then.
for (let tries = 0; await text('speed') !== 'stopped'; ++tries) {
  assert.ok(tries < 10, 'never stopped');
  await page.evaluate(() => new Promise(done => {
    const [send, stop, answer] = ['send', 'stop', 'answer'].map(id => document.getElementById(id));
    send.click(); // which clears the last answer
    new MutationObserver((changes, observer) => {
      observer.disconnect();
      stop.click();
      done();
    }).observe(answer, {childList: true});
  }));
  await until('speed', 'stopped|tokens');
}
await page.unroute('**/v1/chat/completions');
await until('running', '^0$');

// A second version gets a share of the requests.
const operate = (path, body) => fetch(admin + path, {
  method: 'POST',
  headers: {'content-type': 'application/json'},
  body: JSON.stringify(body),
});
await operate('/admin/versions', {name: 'next', path: model});
await until('versions', 'next.*standby, ready');
assert.equal((await operate('/admin/versions/canary', {id: 2, share: 0.25})).status, 200);
await until('versions', 'canary, ready.*25 %');
const parts = await page.locator('#versions .bar i').evaluateAll(all => all.map(
    i => i.getBoundingClientRect().width / i.parentElement.getBoundingClientRect().width));
assert.deepEqual(parts.map(x => x.toFixed(2)), ['0.75', '0.25']);

// Something to look at.
const ask = n => fetch(base + '/v1/completions', {
  method: 'POST',
  body: JSON.stringify({prompt: 'Once upon a time ' + n, max_tokens: 230, ignore_eos: true}),
});
let wanted = true;
async function goOn(n) {
  do assert.equal((await ask(n)).status, 200);
  while (wanted);
}
const load = [];
for (let n = 0; n < 100; ++n) load.push(goOn(n));
await page.fill('#tokens', '200');
await page.click('#send');
await until('running', '^[1-9]');
await comes('blocks that requests hold', () => page.locator('.map .used title').count());
await page.waitForTimeout(3000);
if (screenshot) await page.screenshot({path: screenshot, fullPage: true});
await until('speed', 'tokens, first after');
wanted = false;
await Promise.all(load);

// What a server says is never markup: a version's name that looks like some.
await operate('/admin/versions', {name: '<img src=x onerror=alert(1)>', path: model});
await until('versions', '<img src=x');
assert.equal(await page.locator('#versions img').count(), 0);

// Narrow screens scroll down, not sideways.
await page.setViewportSize({width: 390, height: 800});
assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
assert.deepEqual(complaints, []);

// The server goes: the page says so.
server.kill('SIGKILL');
await until('state', 'does not answer');

// Where nothing is recorded, it says what to do.
const plain = await serve();
await page.goto(plain.admin + '/');
await until('trace-note', 'nothing is recorded: start with --trace FILE');
assert.equal(await page.locator('#trace-look').isVisible(), false);
plain.server.kill('SIGKILL'); // it would keep this program from ending
await browser.close();
console.log('ok');
