import pg from 'pg';

/** Counts the statements of this thread, and how many of them end a transaction that may have written. */
export function countStatements() {
  const { query } = pg.Client.prototype;
  const counts = { statements: 0, commits: 0 };
  const writing = new WeakMap();
  pg.Client.prototype.query = function counted(...args) {
    const text = typeof args[0] === 'string' ? args[0] : (args[0]?.text ?? '');
    counts.statements += 1;
    const writes = /\b(INSERT|UPDATE|DELETE)\b/.test(text) && !/FOR UPDATE\s*$/.test(text);
    if (/^BEGIN/.test(text))
      writing.set(this, /synchronous_commit = off/.test(text) ? null : false);
    else if (/^(COMMIT|ROLLBACK)/.test(text)) {
      if (writing.get(this)) counts.commits += 1;
      writing.delete(this);
    } else if (writes) {
      if (!writing.has(this)) counts.commits += 1;
      else if (writing.get(this) === false) writing.set(this, true);
    }
    return query.apply(this, args);
  };
  return {
    now: () => ({ ...counts }),
    stop: () => {
      pg.Client.prototype.query = query;
    },
  };
}
