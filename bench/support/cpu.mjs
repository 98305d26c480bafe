// CPU time of this process and of the PostgreSQL server beside it, from /proc: on Linux alone.
import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks to a second, on every Linux of today. */
const TICKS = 100;

/** What tells the CPU seconds that both have used so far. */
export async function cpuClock(pool) {
  const { rows } = await pool.query('SELECT pg_backend_pid() AS pid');
  const postmaster = processStat(rows[0].pid)?.parent;
  return () => {
    const { user, system } = process.cpuUsage();
    let ticks = 0;
    for (const name of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const stat = processStat(name);
      if (stat?.parent === postmaster) ticks += stat.own;
      else if (stat?.pid === postmaster) ticks += stat.own + stat.ended;
    }
    return { node: (user + system) / 1e6, postgres: ticks / TICKS };
  };
}

/** See proc_pid_stat(5); undefined if the process has gone. `ended`: of its children that have ended. */
function processStat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Behind the name, which may hold anything.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [, parent] = fields;
    return {
      pid: Number(pid),
      parent,
      own: fields[11] + fields[12],
      ended: fields[13] + fields[14],
    };
  } catch {
    return undefined;
  }
}
