// The official client against a server of its own: node openai.mjs TROUPE MODEL.
// Ends with 77, which ctest counts as skipped, where the client is not there.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {createInterface} from 'node:readline';

let OpenAI;
try {
  OpenAI = (await import('openai')).default;
} catch {
  console.log('skipped: the client is not installed; ./dev setup does that');
  process.exit(77);
}

const [program, model] = process.argv.slice(2);
const server = spawn(
    program, ['serve', '--port', '0', '--model', model, '--threads', '1'],
    {stdio: ['ignore', 'ignore', 'pipe']});
process.on('exit', () => server.kill());

// The server says where it listens.
const base = await new Promise((found, failed) => {
  const lines = createInterface({input: server.stderr});
  lines.on('line', line => {
    const at = line.match(/at (http:\/\/\S+)$/);
    if (at) found(at[1]);
  });
  lines.on('close', () => failed(new Error('the server ended')));
});

const client =
    new OpenAI({baseURL: `${base}/v1`, apiKey: 'none', maxRetries: 0});
const messages = [{role: 'user', content: 'Tell me a story about a brave fox.'}];

async function metric(name) {
  const text = await (await fetch(`${base}/metrics`)).text();
  return Number(text.match(new RegExp(`^${name} (\\d+)$`, 'm'))[1]);
}

const cases = {
  async 'models are listed'() {
    const ids = [];
    for await (const m of client.models.list()) ids.push(m.id);
    assert.deepEqual(ids, ['troupe-demo']);
    assert.equal((await client.models.retrieve(ids[0])).id, ids[0]);
  },

  async 'a sum is right'() {
    const r = await client.chat.completions.create({
      model: 'troupe-demo',
      messages: [{role: 'user', content: 'What is 347 + 285?'}],
      temperature: 0,
    });
    assert.match(r.choices[0].message.content, /632/);
    assert.equal(r.choices[0].finish_reason, 'stop');
    assert.equal(
        r.usage.total_tokens, r.usage.prompt_tokens + r.usage.completion_tokens);
  },

  async 'an answer keeps to its schema'() {
    const schema = {
      type: 'object',
      properties: {
        title: {type: 'string', maxLength: 40},
        animal: {enum: ['fox', 'owl', 'bear']},
        age: {type: 'integer', minimum: 1, maximum: 99},
      },
      required: ['title', 'animal', 'age'],
      additionalProperties: false,
    };
    const wishes = [...Array(8).keys()].map(
        seed => client.chat.completions.create({
          model: 'troupe-demo',
          messages,
          temperature: 1.5,
          seed,
          max_tokens: 300,
          response_format:
              {type: 'json_schema', json_schema: {name: 'tale', schema}},
        }));
    for (const r of await Promise.all(wishes)) {
      assert.equal(r.choices[0].finish_reason, 'stop');
      const tale = JSON.parse(r.choices[0].message.content);
      // In the order in which they are written.
      assert.deepEqual(Object.keys(tale), ['title', 'animal', 'age']);
      assert.ok(['fox', 'owl', 'bear'].includes(tale.animal));
      assert.ok(Number.isInteger(tale.age) && tale.age >= 1 && tale.age <= 99);
    }
    const object = await client.chat.completions.create({
      model: 'troupe-demo',
      messages: [{role: 'user', content: 'Fill in the JSON.'}],
      max_tokens: 200,
      temperature: 0,
      response_format: {type: 'json_object'},
    });
    if (object.choices[0].finish_reason === 'stop')
      assert.equal(typeof JSON.parse(object.choices[0].message.content), 'object');
  },

  async 'a schema that cannot be kept to is a 400 that names the place'() {
    const schema = {
      type: 'object',
      properties: {x: {type: 'array', contains: {type: 'integer'}}},
      required: ['x'],
    };
    await assert.rejects(
        client.chat.completions.create({
          model: 'troupe-demo',
          messages,
          response_format:
              {type: 'json_schema', json_schema: {name: 'x', schema}},
        }),
        e => e.status === 400 && /#\/properties\/x: contains/.test(e.message));
  },

  async 'a conversation has several turns'() {
    const r = await client.chat.completions.create({
      model: 'troupe-demo',
      messages: [
        {role: 'system', content: 'Be kind.'}, ...messages,
        {role: 'assistant', content: 'Once there was a fox.'},
        {role: 'user', content: [{type: 'text', text: 'And then?'}]},
      ],
      max_completion_tokens: 8,
    });
    assert.ok(r.usage.completion_tokens <= 8);
  },

  async 'a stream says what the whole answer says'() {
    const ask = {model: 'troupe-demo', messages, seed: 7, max_tokens: 60, n: 2};
    const whole = await client.chat.completions.create(ask);
    const stream = await client.chat.completions.create(
        {...ask, stream: true, stream_options: {include_usage: true}});
    const texts = ['', ''];
    let usage;
    for await (const part of stream) {
      for (const c of part.choices) texts[c.index] += c.delta.content ?? '';
      usage = part.usage ?? usage;
    }
    assert.deepEqual(texts, whole.choices.map(c => c.message.content));
    assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
    assert.notEqual(texts[0], texts[1]);
  },

  async 'completions stream as well'() {
    const ask = {
      model: 'troupe-demo', prompt: 'Once upon a time', seed: 3,
      max_tokens: 20, logprobs: 2,
    };
    const whole = await client.completions.create(ask);
    const logprobs = whole.choices[0].logprobs;
    assert.equal(logprobs.tokens.length, whole.usage.completion_tokens);
    let text = '';
    for await (const part of await client.completions.create(
                   {...ask, stream: true}))
      text += part.choices[0].text;
    assert.equal(text, whole.choices[0].text);
  },

  async 'a stop string ends the answer'() {
    const ask = {model: 'troupe-demo', messages, seed: 7, max_tokens: 60};
    const whole = (await client.chat.completions.create(ask))
                      .choices[0].message.content;
    const stop = whole.slice(10, 13);
    const r = await client.chat.completions.create({...ask, stop});
    assert.equal(
        r.choices[0].message.content, whole.slice(0, whole.indexOf(stop)));
    assert.equal(r.choices[0].finish_reason, 'stop');
  },

  async 'log-probabilities come with alternatives'() {
    const r = await client.chat.completions.create({
      model: 'troupe-demo', messages, max_tokens: 5, logprobs: true,
      top_logprobs: 3,
    });
    const {content} = r.choices[0].logprobs;
    assert.equal(content.length, r.usage.completion_tokens);
    for (const t of content) {
      assert.ok(t.logprob <= 0);
      assert.equal(t.top_logprobs.length, 3);
    }
  },

  async 'texts become vectors'() {
    const input = ['A brave fox.', 'A fox that is brave.', '12 + 30'];
    const r = await client.embeddings.create({model: 'troupe-demo', input});
    assert.deepEqual(r.data.map(d => d.index), [0, 1, 2]);
    assert.equal(r.usage.total_tokens, r.usage.prompt_tokens);
    const [fox, same, sum] = r.data.map(d => d.embedding);
    const dot = (a, b) => a.reduce((s, x, i) => s + x * b[i], 0);
    assert.ok(Math.abs(dot(fox, fox) - 1) < 1e-6);
    assert.ok(dot(fox, same) > dot(fox, sum));
    // Unless it is told how, the client asks for base64.
    const plain = await client.embeddings.create(
        {model: 'troupe-demo', input: input[0], encoding_format: 'float'});
    assert.deepEqual(plain.data[0].embedding.map(Math.fround), fox);
    const short = await client.embeddings.create(
        {model: 'troupe-demo', input: input[0], dimensions: 8});
    assert.equal(short.data[0].embedding.length, 8);
    const length = Math.sqrt(dot(fox.slice(0, 8), fox.slice(0, 8)));
    short.data[0].embedding.forEach(
        (x, i) => assert.ok(Math.abs(x - fox[i] / length) < 1e-6));
    await assert.rejects(
        client.embeddings.create({model: 'troupe-demo', input: ''}),
        e => e instanceof OpenAI.BadRequestError && e.param === 'input');
  },

  async 'errors are those that the client knows'() {
    const refused = (kind, ask) => assert.rejects(
        client.chat.completions.create({model: 'troupe-demo', messages, ...ask}),
        e => e instanceof kind && e.requestID?.startsWith('req-'));
    await refused(OpenAI.NotFoundError, {model: 'other'});
    await refused(OpenAI.BadRequestError, {temperature: 9});
    await assert.rejects(
        client.completions.create(
            {model: 'troupe-demo', prompt: 'word '.repeat(5000)}),
        e => e.status === 400 && e.code === 'context_length_exceeded'
            && e.param === 'prompt');
  },

  async 'a stream that is left is cancelled'() {
    const before = await metric('troupe_answers_cancelled_total');
    const stream = await client.chat.completions.create({
      model: 'troupe-demo', messages, stream: true, max_tokens: 1900,
      ignore_eos: true,
    });
    for await (const part of stream) break;
    // The server hears of it a moment later.
    for (let i = 0; i < 1000; ++i)
      if (await metric('troupe_answers_cancelled_total') > before) break;
    assert.equal(await metric('troupe_answers_cancelled_total'), before + 1);
    for (let i = 0; i < 1000; ++i)
      if (await metric('troupe_kv_blocks_in_use') === 0) break;
    assert.equal(await metric('troupe_kv_blocks_in_use'), 0);
  },
};

let failed = 0;
for (const [name, run] of Object.entries(cases)) {
  try {
    await run();
    console.log(`ok: ${name}`);
  } catch (e) {
    ++failed;
    console.log(`FAILED: ${name}\n${e.stack}`);
  }
}
process.exit(failed ? 1 : 0);
