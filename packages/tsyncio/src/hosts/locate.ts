/** Asks V8 where suspended generators stand: exact, on demand, and free as long as nobody asks. */

import type { Location } from "../kernel/host.ts";

type Session = import("node:inspector").Session;

interface RemoteObject {
  readonly objectId?: string;
  readonly description?: string;
  readonly value?: unknown;
}
interface Properties {
  readonly result: readonly { readonly name: string; readonly value?: RemoteObject }[];
  readonly internalProperties?: readonly { readonly name: string; readonly value?: RemoteObject }[];
}

/** The evaluated expression can only reach globals, so the generators pass through this one while it runs. */
const DESK: unique symbol = Symbol.for("tsyncio.locate") as never;

/**
 * The place of each generator; undefined for all where there is no inspector (Bun, the permission model).
 *
 * Of generators that call each other by plain `yield*`, V8 tells the outermost one's place.
 */
export function locate(generators: readonly object[]): (Location | undefined)[] {
  const unknown = generators.map(() => undefined);
  if (generators.length === 0) return unknown;
  let session: Session | undefined;
  const desk = globalThis as { [DESK]?: readonly object[] };
  try {
    const inspector = process.getBuiltinModule?.("node:inspector");
    if (inspector === undefined) return unknown;
    session = new inspector.Session();
    session.connect();
    const files = new Map<string, string>();
    session.on("Debugger.scriptParsed", (event) => files.set(event.params.scriptId, event.params.url));
    // Only the debugger domain tells the names of scripts; it is on for the length of this call.
    session.post("Debugger.enable");
    desk[DESK] = generators;
    const list = ask<{ result: RemoteObject }>(session, "Runtime.evaluate", {
      expression: 'globalThis[Symbol.for("tsyncio.locate")]',
    });
    const items = ask<Properties>(session, "Runtime.getProperties", { objectId: list?.result.objectId, ownProperties: true });
    return generators.map((_, index) => {
      const item = items?.result.find((each) => each.name === String(index));
      return item?.value?.objectId === undefined ? undefined : place(session as Session, item.value.objectId, files);
    });
  } catch {
    return unknown;
  } finally {
    delete desk[DESK];
    session?.disconnect();
  }
}

function place(session: Session, objectId: string, files: Map<string, string>): Location | undefined {
  const internal = ask<Properties>(session, "Runtime.getProperties", { objectId, ownProperties: true })?.internalProperties;
  const find = (name: string): RemoteObject | undefined => internal?.find((each) => each.name === name)?.value;
  const at = find("[[GeneratorLocation]]")?.value as { scriptId: string; lineNumber: number; columnNumber: number } | undefined;
  const name = /^function\s*\*\s*([\w$]+)/.exec(find("[[GeneratorFunction]]")?.description ?? "")?.[1];
  const functionName = name ?? "coroutine";
  if (at === undefined) return { functionName };
  const file = files.get(at.scriptId);
  return { functionName, ...(file !== undefined && { file }), line: at.lineNumber + 1, column: at.columnNumber + 1 };
}

/** Calls an inspector method; on the same thread the answer comes before `post` returns. */
function ask<R>(session: Session, method: string, params: object): R | undefined {
  let answer: R | undefined;
  session.post(method as never, params as never, (_error: unknown, result: unknown) => {
    answer = result as R;
  });
  return answer;
}
