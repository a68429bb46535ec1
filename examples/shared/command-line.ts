// What the programs share: reading a command line, and saying what is wrong with it.

import { type ParseArgsConfig, parseArgs } from "node:util";

/** What was written on the command line makes no sense. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

type Described = NonNullable<ParseArgsConfig["options"]>;
type Parsed<O extends Described> = ReturnType<typeof parseArgs<{ options: O; allowPositionals: true }>>;

/** As `parseArgs` of Node; what it refuses is a UsageError. */
export function parseCommandLine<const O extends Described>(args: readonly string[], options: O): Parsed<O> {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** A whole number, `least` at least. */
export function countOption(name: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,9}$/.test(text) || Number(text) < least) {
    throw new UsageError(`Expected --${name} to be a whole number of ${least} or more, got "${text}"`);
  }
  return Number(text);
}

/** A port, from `least` on. */
export function portOption(name: string, text: string, least = 0): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) < least || Number(text) > 65_535) {
    throw new UsageError(`Expected ${name} to be a port from ${least} to 65535, got "${text}"`);
  }
  return Number(text);
}

/** `host:port`, or a port of this machine. */
export function addressOption(name: string, text: string, least = 0): { host: string; port: number } {
  const [, ipv6, host, port] = /^(?:(?:\[([^\]]*)\]|([^:]*)):)?(\d+)$/.exec(text) ?? [];
  if (port === undefined) throw new UsageError(`Expected ${name} to be like 127.0.0.1:8080, [::1]:8080 or 8080, got "${text}"`);
  return { host: ipv6 ?? (host || "127.0.0.1"), port: portOption(name, port, least) };
}

const MILLISECONDS: Readonly<Record<string, number>> = { "": 1, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** In milliseconds. */
export function durationOption(name: string, text: string | undefined): number | undefined {
  return unitOption(name, text, MILLISECONDS, "a duration like 250ms, 1.5s or 2m");
}

const BYTES: Readonly<Record<string, number>> = { "": 1, b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** In bytes. */
export function sizeOption(name: string, text: string | undefined): number | undefined {
  const size = unitOption(name, text, BYTES, "a size like 500kb or 2mb");
  return size === undefined ? undefined : Math.ceil(size);
}

function unitOption(
  name: string,
  text: string | undefined,
  units: Readonly<Record<string, number>>,
  expected: string,
): number | undefined {
  if (text === undefined) return undefined;
  const [, amount, unit] = /^(\d+(?:\.\d+)?)([a-z]*)$/i.exec(text) ?? [];
  const factor = unit === undefined ? undefined : units[unit.toLowerCase()];
  if (factor === undefined || Number(amount) === 0) {
    throw new UsageError(`Expected --${name} to be ${expected}, got "${text}"`);
  }
  return Number(amount) * factor;
}
