/** Signals to a process and to its group. */

import { readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";

/** The numbers of the signals that this system has. */
export const SIGNALS: Readonly<Partial<Record<NodeJS.Signals, number>>> = constants.signals;

/**
 * Sends a signal; false when nobody is there any more.
 *
 * @param group - All of the process group that the process leads or led, not the process alone.
 */
export function sendTo(pid: number, signal: NodeJS.Signals, group: boolean): boolean {
  try {
    process.kill(group ? -pid : pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/** As {@link sendTo}, where there is nobody to tell of a failure: one that may not be signalled is left alone. */
export function trySendTo(pid: number, signal: NodeJS.Signals, group: boolean): void {
  try {
    sendTo(pid, signal, group);
  } catch {
    // EPERM: it runs as another user by now.
  }
}

/** Whether something of a process group still runs. */
export function isGroupAlive(group: number): boolean {
  try {
    process.kill(-group, 0);
  } catch (error) {
    // Elsewhere than on Linux, a group that has ended and was not collected yet may not be signalled.
    return (error as NodeJS.ErrnoException).code === "EPERM" && process.platform === "linux";
  }
  // In a container whose first process collects nobody, what has ended without its parent stays there, as a zombie, for ever.
  return process.platform !== "linux" || !onlyZombies(group);
}

function onlyZombies(group: number): boolean {
  try {
    return readdirSync("/proc").every((name) => !/^\d+$/.test(name) || !runsIn(name, group));
  } catch {
    return false;
  }
}

function runsIn(pid: string, group: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name, in brackets, may have anything in it.
    const [state, , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(pgrp) === group && state !== "Z" && state !== "X";
  } catch {
    return false;
  }
}
