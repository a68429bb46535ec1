// What the programs share: how they end.

import { type Coroutine, KeyboardInterrupt, run } from "tsyncio";
import { NetworkError } from "tsyncio/net";
import { UsageError } from "./command-line.ts";

/**
 * Runs a program, and sets the exit status: what it returns, 1 when the network fails, 2 for wrong usage.
 *
 * @param main - Gets the command line; `"help"`: only the usage is asked for.
 * @param interrupted - The status after Ctrl-C: 130, but 0 for a server, which ends in no other way.
 */
export async function mainProgram(
  usage: string,
  main: (args: readonly string[]) => Coroutine<number> | "help",
  interrupted = 130,
): Promise<void> {
  try {
    const job = main(process.argv.slice(2));
    if (job === "help") console.log(usage);
    else process.exitCode = await run(job, { signals: ["SIGINT", "SIGTERM"] });
  } catch (error) {
    if (error instanceof KeyboardInterrupt) process.exitCode = interrupted;
    else if (error instanceof UsageError) {
      console.error(`${error.message}\n\n${usage}`);
      process.exitCode = 2;
    } else if (error instanceof NetworkError) {
      console.error(error.message);
      process.exitCode = 1;
    } else throw error;
  }
}
