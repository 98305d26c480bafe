import type { EventLog } from '#src/log/event-log.js';
import type { Model } from '#src/model/model.js';
import { ROLES, runRole } from '#src/service/roles.js';
import { createInsight, runServe } from '#src/service/serve.js';
import type { Service } from '#src/service/service.js';
import { openTestService, type TestService } from './service.js';

/** Every role of a process, HTTP among them, on a database of the test's own. */
export type Serving = {
  readonly service: TestService;
  readonly url: string;
  get(path: string): Promise<{ status: number; text: string }>;
  /** Asks again and again until `enough` says so. */
  until<T>(path: string, enough: (status: number, text: string) => T | undefined): Promise<T>;
  close(): Promise<void>;
};

export async function startServing(
  model: Model,
  stalledAfterMs: number,
  wrap: (log: EventLog) => EventLog = (log) => log,
): Promise<Serving> {
  const opened = await openTestService(model);
  const http = { ...opened.settings.http, port: 0, stalledAfterMs };
  const service: Service = {
    ...opened,
    settings: { ...opened.settings, http },
    log: wrap(opened.log),
  };
  const stop = new AbortController();
  const insight = createInsight(service, ROLES);
  const observed = { ...service, observe: insight.observe };
  let done: Promise<unknown> = Promise.resolve();
  const url = await new Promise<string>((onListening, reject) => {
    const options = { alone: true, onFailure: reject, onListening };
    const serving = runServe(service, insight, stop.signal, options);
    serving.catch(reject);
    done = Promise.all([
      serving,
      ...ROLES.map((role) => runRole(observed, role, stop.signal, () => {})),
    ]);
  });
  const get = async (path: string) => {
    const answer = await fetch(new URL(path, url));
    return { status: answer.status, text: await answer.text() };
  };
  return {
    service: opened,
    url,
    get,
    until: async (path, enough) => {
      for (;;) {
        const { status, text } = await get(path);
        const result = enough(status, text);
        if (result !== undefined) return result;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    close: async () => {
      stop.abort();
      await done;
      await opened.close();
    },
  };
}
