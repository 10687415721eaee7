// What test_node.py has node-postgres do: `node node_session.js URL TASK` prints JSON.
'use strict';

const { Client, Pool } = require('pg');
const Cursor = require('pg-cursor');

const [url, task] = process.argv.slice(2);

const tasks = {
  async queries(client) {
    const seen = [];
    for (const id of [1, 2, 1, 2]) {
      seen.push((await client.query('select * from t where id=' + id)).rows);
      seen.push((await client.query('select * from t where id=$1', [id])).rows);
      seen.push((await client.query({ name: 'n1', text: 'select * from t where id=$1', values: [id] })).rows);
      seen.push((await client.query({ text: 'select id, v from t where id=$1', values: [id], rowMode: 'array' })).rows);
    }
    seen.push((await client.query({ text: 'select id, v from t where id < $1', values: [5], rows: 2 })).rows);
    seen.push((await client.query('select * from wide order by id')).rows);
    seen.push((await client.query('select 1 as a; select 2 as b')).map((r) => r.rows));
    seen.push((await client.query('')).rowCount);
    // Sent at once, without waiting in between.
    seen.push(await Promise.all([1, 2, 3].map((id) => client.query('select v from t where id=$1', [id]).then((r) => r.rows))));
    return seen;
  },
  async cursors(client) {
    const seen = [];
    for (let round = 0; round < 2; round++) {
      const cursor = client.query(new Cursor('select * from t order by id'));
      seen.push((await cursor.read(400)).length, (await cursor.read(700)).length, (await cursor.read(1)).length);
      await cursor.close();
      const early = client.query(new Cursor('select * from t where id > $1 order by id', [5]));
      seen.push(await early.read(3));
      await early.close();
      seen.push((await client.query('select count(*) from t')).rows);
    }
    return seen;
  },
  async transactions(client) {
    const seen = [];
    const count = async () => seen.push((await client.query('select count(*) from empty')).rows[0].count);
    await count();
    await client.query('begin');
    await client.query('insert into empty values ($1, $2)', [1, 'node']);
    await count();
    await client.query('rollback');
    await count();
    await client.query('insert into empty values ($1, $2)', [1, 'node']);
    await count();
    await client.query('delete from empty');
    await count();
    return seen;
  },
  async errors(client) {
    const seen = [];
    for (const [text, values] of [
      ['select nothing from t', undefined],
      ['select $1::int/0', ['1']],
      ['select 10/(3-id) from t where id <= 3 order by id', undefined],
      ['this is no sql', undefined],
    ]) {
      try {
        await client.query(text, values);
      } catch (error) {
        seen.push([error.code, error.message, error.position, error.routine]);
      }
      seen.push((await client.query('select v from t where id=$1', [1])).rows);
    }
    return seen;
  },
  async pool() {
    const pool = new Pool({ connectionString: url, max: 4 });
    const rows = await Promise.all(
      Array.from({ length: 40 }, (_, n) => pool.query('select v from t where id=$1', [(n % 5) + 1])),
    );
    await pool.end();
    return rows.map((r) => r.rows[0].v);
  },
  async notifications(client) {
    const heard = new Promise((resolve) => client.once('notification', resolve));
    await client.query('listen ch');
    await client.query("notify ch, 'from node'");
    const { channel, payload } = await heard;
    return [channel, payload];
  },
  async hit_text(client) {
    const seen = [];
    for (let n = 0; n < 4; n++) seen.push((await client.query('select v from t where id=8')).rows[0].v);
    return seen;
  },
  async hit_prepared(client) {
    const seen = [];
    const query = { name: 'n9', text: 'select v from t where id=$1', values: [9] };
    for (let n = 0; n < 4; n++) seen.push((await client.query(query)).rows[0].v);
    return seen;
  },
};

(async () => {
  const client = new Client({ connectionString: url });
  await client.connect();
  const result = await tasks[task](client);
  await client.end();
  process.stdout.write(JSON.stringify(result));
})().catch((error) => {
  process.stderr.write(String(error && error.stack));
  process.exit(1);
});
