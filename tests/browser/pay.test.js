// Whole payments, as `make run` shows them: the printed commands as they stand, Alipay's cashier in a browser, and the events.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

import { CANCEL, decide, decideInVain, LEAVE, openCashier, PAY, refusalAt } from './cashier.js';
import { startChromium, visitor } from './chromium.js';
import { APP_ID, startDevServer, USER_ID } from './dev-server.js';
import { startShell } from './shell.js';

const OWNER = 'user-1';
const ANOTHER_USER_ID = '2088000000000002';
/** The merchant of the simulated app. */
const SELLER = '2088000000000999';
const CASHIER = '/cashier.htm';
const LIMIT_MS = 10_000;
const STEP_MS = 25;

let browser;
let server;
let shell;
/** Signatures that went by: of order strings, of results and of notices. */
const signatures = [];

before(async () => {
  server = await startDevServer(undefined, { schedule: true });
  shell = startShell();
  browser = await startChromium();
});

after(async () => {
  await browser?.close();
  await shell?.stop();
  await server?.stop();
});

/** The one printed command line with these texts in it. */
function printed(...texts) {
  const commands = server.banner.split('\n').filter(line => /^(curl |[A-Z]+=)/.test(line));
  const found = commands.filter(line => texts.every(text => line.includes(text)));
  assert.equal(found.length, 1, `${found.length} printed commands have ${texts.join(' and ')}`);
  return found[0];
}

/** What a printed command answers. */
async function pasted(...texts) {
  return JSON.parse(await shell.paste(printed(...texts)));
}

/** One of app-pay's calls, as a server makes it. */
async function call(name, members) {
  const response = await fetch(`${server.url}/2015-03-31/functions/app-pay/invocations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ call: name, ...members }),
  });
  return response.json();
}

/** One of app-pay's calls that has to be done. */
async function done(name, members) {
  const answer = await call(name, members);
  assert.equal(answer.code, 0, JSON.stringify(answer));
  return answer;
}

/** Refused with this error; a wrong argument is named. */
function assertRefused(answer, error, argument) {
  assert.notEqual(answer.code, 0);
  assert.equal(answer.error, error, JSON.stringify(answer));
  if (argument) assert.ok(answer.msg.startsWith(`${argument}: `), answer.msg);
}

/** The simulator's control API. */
async function control(path, body) {
  const options = body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(`${server.simulator}/_simulator/${path}`, options);
  const text = await response.text();
  assert.ok(response.ok, `${path}: ${response.status} ${text}`);
  return text && JSON.parse(text);
}

/** Asks until the answer is one that holds; that answer. */
async function until(what, ask, holds) {
  for (const end = Date.now() + LIMIT_MS; ; await pause(STEP_MS)) {
    const answer = await ask();
    if (holds(answer)) return answer;
    assert.ok(Date.now() < end, `${what}: ${JSON.stringify(answer)}`);
  }
}

async function eventsOf(outTradeNo) {
  const { events } = await (await fetch(`${server.url}/_local/events`)).json();
  return events.filter(({ detail }) => detail.out_trade_no === outTradeNo);
}

async function noticesOf(outTradeNo) {
  const { notices } = await control('notices');
  return notices.filter(notice => notice.out_trade_no === outTradeNo);
}

/** Waits until that many notices of the order were sent and answered; all of them, none of which may have been refused. */
async function acknowledged(outTradeNo, count) {
  const settled = notices => notices.length >= count && notices.every(({ attempts }) => attempts.length > 0);
  const notices = await until('notices', () => noticesOf(outTradeNo), settled);
  assert.equal(notices.length, count);
  for (const { attempts } of notices) attempts.forEach(({ answer }) => assertSuccess(answer));
  return notices;
}

function assertSuccess(answer) {
  assert.deepEqual(answer, { answered: { status: 200, body: 'success' } });
}

/**
 * The events of an order, in `/_local/events` and as printed lines. A notice is answered after its event is published: once the notices
 * are answered, one event too many is there too.
 */
async function assertEvents(outTradeNo, kinds) {
  const events = await until('events', () => eventsOf(outTradeNo), ({ length }) => length >= kinds.length);
  assert.deepEqual(events.map(event => event['detail-type']), kinds);
  const lines = () => server.printed().split('\n').filter(line => line.includes(` ${APP_ID}/${outTradeNo} `));
  const shown = await until('printed lines', lines, ({ length }) => length >= kinds.length);
  assert.deepEqual(shown.map(line => line.split(' ')[0]), kinds);
  for (const { bus, source, detail } of events) {
    assert.ok(bus);
    assert.equal(source, 'alipay-functions');
    assert.equal(detail.app_id, APP_ID);
    assert.equal(detail.owner, OWNER);
  }
  return events.map(({ detail }) => detail);
}

/** Keeps Alipay from sending notices of its own accord until the test is over, or until the answer is called. */
async function holdNotices(context) {
  const release = () => control('notices/held', { held: false });
  await control('notices/held', { held: true });
  context.after(release);
  return release;
}

async function ordered(more = {}) {
  const order = await done('app.getOrderStr', { total_amount: '8.00', subject: '一杯拿铁', owner: OWNER, ...more });
  signatures.push(new URLSearchParams(order.value).get('sign'));
  return order;
}

function created(more = {}) {
  return done('trade.create', { total_amount: '9.90', subject: '一杯奶茶', owner: OWNER, buyer_id: USER_ID, ...more });
}

const cashierOf = order => `${server.simulator}${CASHIER}?${order}`;

/** What the app's server is told by the front end, which has it from Alipay's SDK. */
function report({ resultStatus, result }, outTradeNo) {
  return { owner: OWNER, resultStatus, result, out_trade_no: outTradeNo };
}

async function assertState(outTradeNo, state, tradeStatus) {
  const answer = await done('trade.query', { out_trade_no: outTradeNo, owner: OWNER });
  assert.deepEqual([answer.state, answer.trade_status], [state, tradeStatus]);
  return answer;
}

/** A page of Alipay's has nothing that runs, and does nothing that it forbids itself. */
async function assertPlain({ page, violations }) {
  assert.equal(await page.locator('script, img, iframe, [onclick], [onerror], [onload]').count(), 0);
  assert.deepEqual(violations, []);
}

test('the printed commands pay an order in the cashier, and one event says so', async () => {
  const order = await pasted('app.getOrderStr');
  const address = (await shell.paste(printed('cashier.htm?$ORDER'))).trim();
  assert.equal(address, cashierOf(order.value));
  const buyer = await visitor(browser);
  const asked = await openCashier(buyer, address);
  assert.deepEqual(asked, { subject: '两杯咖啡', amount: '12.50', payee: SELLER, outTradeNo: order.out_trade_no });
  await assertPlain(buyer);

  const given = await decide(buyer, PAY);
  assert.equal(given.resultStatus, '9000');
  assert.equal(await buyer.page.innerText('#paid'), '支付成功');
  await assertPlain(buyer);

  const [notice] = await acknowledged(order.out_trade_no, 1);
  const checked = await done('app.checkResult', report(given));
  assert.equal(checked.paid, true);
  assert.equal(checked.out_trade_no, order.out_trade_no);
  assert.equal(checked.trade_no, notice.fields.trade_no);

  const [paid] = await assertEvents(order.out_trade_no, ['order.paid']);
  assert.equal(paid.event_id, `order.paid/${APP_ID}/${order.out_trade_no}`);
  assert.deepEqual([paid.total_amount, paid.refunded_amount, paid.state], ['12.50', '0.00', 'paid']);
  assert.equal(paid.buyer_id, USER_ID);
  assert.equal(paid.buyer_is_expected, null);

  const queried = await pasted('trade.query', '$NUMBER');
  assert.deepEqual([queried.state, queried.trade_status], ['paid', 'TRADE_SUCCESS']);
  assert.equal(queried.out_trade_no, order.out_trade_no);
});

test('the app may report sooner than the notice comes: it is paid, and one event says so', async context => {
  const order = await ordered();
  const release = await holdNotices(context);
  const buyer = await visitor(browser);
  await openCashier(buyer, cashierOf(order.value));
  const given = await decide(buyer, PAY);
  assert.equal((await done('app.checkResult', report(given))).paid, true);
  await assertEvents(order.out_trade_no, ['order.paid']);
  await release();
  await acknowledged(order.out_trade_no, 1);
  await assertEvents(order.out_trade_no, ['order.paid']);
});

test('who cancels or leaves has not paid, and can pay afterwards', async () => {
  const order = await ordered();
  const buyer = await visitor(browser);
  const address = cashierOf(order.value);

  await openCashier(buyer, address);
  const cancelled = await decide(buyer, CANCEL);
  assert.deepEqual([cancelled.resultStatus, cancelled.result], ['6001', '']);
  assert.ok(await buyer.page.isVisible('#cancelled'));
  assert.equal((await done('app.checkResult', report(cancelled, order.out_trade_no))).paid, false);

  await openCashier(buyer, address);
  const left = await decide(buyer, LEAVE);
  assert.deepEqual([left.resultStatus, left.result], ['6004', '']);
  assert.ok(await buyer.page.isVisible('#left'));
  assert.equal((await done('app.checkResult', report(left, order.out_trade_no))).paid, null);
  await assertState(order.out_trade_no, 'created', 'WAIT_BUYER_PAY');
  assert.deepEqual(await eventsOf(order.out_trade_no), []);
  assert.deepEqual(await noticesOf(order.out_trade_no), []);

  await openCashier(buyer, address);
  const given = await decide(buyer, PAY);
  assert.equal((await done('app.checkResult', report(given, order.out_trade_no))).paid, true);
  // A front end that is behind, or lies.
  assert.equal((await done('app.checkResult', report(cancelled, order.out_trade_no))).paid, true);
  await acknowledged(order.out_trade_no, 1);
  await assertEvents(order.out_trade_no, ['order.paid']);
});

test('what is paid is not paid again, neither from a page that still stood open nor from the same address', async () => {
  const order = await ordered();
  const address = cashierOf(order.value);
  const [buyer, behind] = [await visitor(browser), await visitor(browser)];
  await openCashier(buyer, address);
  await openCashier(behind, address);
  await decide(buyer, PAY);
  await decide(behind, PAY);
  await buyer.page.goto(address);
  assert.equal(await buyer.page.innerText('#paid'), '订单已支付');
  assert.equal(await buyer.page.locator('button').count(), 0);
  await acknowledged(order.out_trade_no, 1);
  await assertEvents(order.out_trade_no, ['order.paid']);
  const trades = await control('trades');
  assert.equal(trades.filter(trade => trade.out_trade_no === order.out_trade_no).length, 1);
  assertRefused(await call('app.getOrderStr', { out_trade_no: order.out_trade_no, owner: OWNER }), 'conflict');
});

test('a closed order cannot be paid, and one event says that it is closed', async () => {
  const { trade_no: tradeNo, out_trade_no: outTradeNo } = await created();
  const buyer = await visitor(browser);
  await openCashier(buyer, cashierOf(`trade_no=${tradeNo}`));
  assert.equal((await done('trade.close', { out_trade_no: outTradeNo })).state, 'closed');
  // On the page that still stands open.
  assert.equal(await decideInVain(buyer, PAY), 'ACQ.TRADE_HAS_CLOSE');
  const again = await refusalAt(buyer, cashierOf(`trade_no=${tradeNo}`));
  assert.deepEqual(again, { status: 400, code: 'ACQ.TRADE_HAS_CLOSE' });
  await acknowledged(outTradeNo, 1);
  await assertEvents(outTradeNo, ['order.closed']);
  assert.equal((await done('app.checkResult', { owner: OWNER, resultCode: '9000', out_trade_no: outTradeNo })).paid, false);
});

test('the printed commands pay an order of a mini-program, and it is refunded in two parts', async () => {
  const { trade_no: tradeNo, out_trade_no: outTradeNo } = await pasted('trade.create');
  const address = (await shell.paste(printed('cashier.htm?trade_no=$TRADE'))).trim();
  assert.equal(address, cashierOf(`trade_no=${tradeNo}`));
  const buyer = await visitor(browser);
  const asked = await openCashier(buyer, address);
  assert.deepEqual(asked, { subject: '一杯茶', amount: '3.00', payee: SELLER, outTradeNo });
  assert.deepEqual(await decide(buyer, PAY), { resultCode: '9000' });
  await acknowledged(outTradeNo, 1);
  const [paid] = await assertEvents(outTradeNo, ['order.paid']);
  assert.deepEqual([paid.trade_no, paid.total_amount, paid.buyer_is_expected], [tradeNo, '3.00', true]);
  const checked = await done('app.checkResult', { owner: OWNER, resultCode: 9000, out_trade_no: outTradeNo });
  assert.deepEqual([checked.paid, checked.trade_no], [true, tradeNo]);

  const refund = { out_trade_no: outTradeNo, refund_amount: '1.00', out_request_no: 'R1' };
  for (const answer of [await done('trade.refund', refund), await done('trade.refund', refund)]) {
    assert.deepEqual([answer.refunded, answer.refund_amount, answer.refunded_amount], [true, '1.00', '1.00']);
  }
  await acknowledged(outTradeNo, 2);
  await assertState(outTradeNo, 'paid', 'TRADE_SUCCESS');
  assertRefused(await call('trade.refund', { ...refund, refund_amount: '2.01', out_request_no: 'R2' }), 'conflict');

  const rest = await done('trade.refund', { ...refund, refund_amount: '2.00', out_request_no: 'R3' });
  assert.deepEqual([rest.refunded_amount, rest.state], ['3.00', 'paid']);
  await acknowledged(outTradeNo, 3);
  // All of it went back: Alipay's trade is closed, and the order stays one that was paid.
  await assertState(outTradeNo, 'paid', 'TRADE_CLOSED');
  const events = await assertEvents(outTradeNo, ['order.paid', 'order.refunded', 'order.refunded']);
  const refunds = events.slice(1).map(event => [event.event_id, event.out_request_no, event.refund_amount, event.refunded_amount]);
  assert.deepEqual(refunds, [
    [`order.refunded/${APP_ID}/${outTradeNo}/R1`, 'R1', '1.00', '1.00'],
    [`order.refunded/${APP_ID}/${outTradeNo}/R3`, 'R3', '2.00', '3.00'],
  ]);
  const known = await done('refund.query', { out_trade_no: outTradeNo, out_request_no: 'R3' });
  assert.deepEqual([known.refunded, known.refund_amount], [true, '2.00']);
});

test('what the merchant gives back in Alipay\'s console is known by its notice', async () => {
  const { trade_no: tradeNo, out_trade_no: outTradeNo } = await created();
  const buyer = await visitor(browser);
  await openCashier(buyer, cashierOf(`trade_no=${tradeNo}`));
  await decide(buyer, PAY);
  await acknowledged(outTradeNo, 1);
  await control('refunds', { app_id: APP_ID, number: outTradeNo, refund_amount: '9.90', out_request_no: 'CONSOLE_1' });
  await acknowledged(outTradeNo, 2);
  const [, refunded] = await assertEvents(outTradeNo, ['order.paid', 'order.refunded']);
  assert.deepEqual([refunded.refund_amount, refunded.out_request_no], ['9.90', 'CONSOLE_1']);
});

test('a mini-program\'s trade is paid by nobody but the user that it was made for', async context => {
  const { trade_no: tradeNo, out_trade_no: outTradeNo } = await created();
  const another = await visitor(browser);
  await openCashier(another, cashierOf(`trade_no=${tradeNo}`));
  await control('visitor', { user_id: ANOTHER_USER_ID });
  context.after(() => control('visitor', { user_id: USER_ID }));
  assert.equal(await decideInVain(another, PAY), 'ACQ.TRADE_BUYER_NOT_MATCH');
  assert.deepEqual(await noticesOf(outTradeNo), []);
  await assertState(outTradeNo, 'created', 'WAIT_BUYER_PAY');
});

test('a notice that comes 8 times, and 50 times at once, is one event, and every time it is answered success', async () => {
  const order = await ordered();
  const buyer = await visitor(browser);
  await openCashier(buyer, cashierOf(order.value));
  await decide(buyer, PAY);
  const [{ notify_id: notifyId }] = await acknowledged(order.out_trade_no, 1);
  for (let time = 0; time < 8; time += 1) {
    const { answers } = await control('notices/repeated', { notify_id: notifyId });
    assertSuccess(answers[0]);
  }
  const { answers } = await control('notices/repeated', { notify_id: notifyId, times: 50 });
  assert.equal(answers.length, 50);
  const [notice] = await acknowledged(order.out_trade_no, 1);
  assert.equal(notice.attempts.length, 1 + 8 + 50);
  await assertEvents(order.out_trade_no, ['order.paid']);
});

test('a first notice that comes 50 times at once is one event', async context => {
  const order = await ordered();
  const release = await holdNotices(context);
  const buyer = await visitor(browser);
  await openCashier(buyer, cashierOf(order.value));
  await decide(buyer, PAY);
  const [{ notify_id: notifyId }] = await noticesOf(order.out_trade_no);
  assert.deepEqual(await eventsOf(order.out_trade_no), []);
  const { answers } = await control('notices/repeated', { notify_id: notifyId, times: 50 });
  answers.forEach(assertSuccess);
  await assertEvents(order.out_trade_no, ['order.paid']);
  await release();
  await acknowledged(order.out_trade_no, 1);
  await assertEvents(order.out_trade_no, ['order.paid']);
});

test('an order string that was changed in the address bar is refused, and no trade comes of it', async () => {
  const order = await ordered();
  const cheaper = new URL(cashierOf(order.value));
  const content = JSON.parse(cheaper.searchParams.get('biz_content'));
  assert.equal(content.total_amount, '8.00');
  cheaper.searchParams.set('biz_content', JSON.stringify({ ...content, total_amount: '0.01' }));
  const redirected = new URL(cashierOf(order.value));
  redirected.searchParams.set('notify_url', 'http://127.0.0.1:9/notify/2021000000000001');
  const unsigned = new URL(cashierOf(order.value));
  unsigned.searchParams.delete('sign');
  const buyer = await visitor(browser);
  for (const [address, code] of [
    [cheaper, 'isv.invalid-signature'],
    [redirected, 'isv.invalid-signature'],
    [unsigned, 'isv.missing-signature'],
  ]) {
    assert.deepEqual(await refusalAt(buyer, address.href), { status: 400, code });
    assert.equal(await buyer.page.locator('button').count(), 0);
    await assertPlain(buyer);
  }
  const trades = await control('trades');
  assert.ok(trades.every(trade => trade.out_trade_no !== order.out_trade_no));
});

test('a subject is shown as the text that it is', async () => {
  const subject = '<img src=x onerror=document.title=1>"\'&amp;<script>';
  assertRefused(await call('app.getOrderStr', { total_amount: '1.00', subject, owner: OWNER }), 'invalid_argument', 'subject');
  const allowed = '<b>一杯"水\'<script>';
  const buyer = await visitor(browser);
  assert.equal((await openCashier(buyer, cashierOf((await ordered({ subject: allowed })).value))).subject, allowed);
  await assertPlain(buyer);
  // An order that no function of ours has made.
  const trade = {
    app_id: APP_ID,
    out_trade_no: 'PLANTED<b>',
    trade_no: '2026010122001000000000000001',
    trade_status: 'WAIT_BUYER_PAY',
    buyer: USER_ID,
    total_amount: '1.00',
    subject,
  };
  await control('trades', trade);
  const asked = await openCashier(buyer, cashierOf(`trade_no=${trade.trade_no}`));
  assert.deepEqual([asked.subject, asked.outTradeNo], [subject, trade.out_trade_no]);
  await assertPlain(buyer);
  await decide(buyer, PAY);
  await assertPlain(buyer);
  await buyer.page.goto(cashierOf(`trade_no=${trade.trade_no}`));
  assert.ok((await buyer.page.innerText('main')).includes(trade.out_trade_no));
  await assertPlain(buyer);
});

test('a result that Alipay did not sign is refused by name, and so is one of another order', async () => {
  const [mine, other] = [await ordered(), await ordered()];
  const buyer = await visitor(browser);
  await openCashier(buyer, cashierOf(mine.value));
  const given = await decide(buyer, PAY);
  signatures.push(JSON.parse(given.result).sign);
  await acknowledged(mine.out_trade_no, 1);
  for (const [result, of] of [
    [given.result.replace(mine.out_trade_no, other.out_trade_no), undefined],
    [given.result.replace('"8.00"', '"0.01"'), mine.out_trade_no],
    ['{}', mine.out_trade_no],
    ['paid', mine.out_trade_no],
    [given.result, other.out_trade_no],
  ]) {
    assert.ok(of || result !== given.result);
    assertRefused(await call('app.checkResult', report({ ...given, result }, of)), 'invalid_argument', 'result');
  }
  // Somebody else's order is none.
  assertRefused(await call('app.checkResult', { ...report(given), owner: 'user-2' }), 'not_found');
  // A claim without a proof is a reason to ask, and no more.
  const claim = await done('app.checkResult', { owner: OWNER, resultStatus: '9000', out_trade_no: other.out_trade_no });
  assert.equal(claim.paid, null);
  assert.deepEqual(await eventsOf(other.out_trade_no), []);
});

test('no signature and no buyer of all this is in the log, and no contents of an order', async () => {
  const log = server.log();
  assert.match(log, /app-pay/);
  assert.match(log, /pay-notify/);
  const { notices } = await control('notices');
  signatures.push(...notices.map(({ fields }) => fields.sign));
  assert.ok(signatures.length > 10);
  for (const signature of signatures) {
    assert.ok(signature.length > 300, signature);
    for (const text of [signature, encodeURIComponent(signature)]) assert.ok(!log.includes(text), `${signature} is in the log`);
  }
  for (const text of [USER_ID, 'biz_content', '一杯']) assert.ok(!log.includes(text), `${text} is in the log`);
});
