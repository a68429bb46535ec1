import { expect, test } from "vitest";
import { ByteQueue } from "../../src/streams/byte-queue.ts";

/** The same numbers in each run. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % below;
  };
}

test("ByteQueue, gives the bytes in the order in which they came, however they are split and taken", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = randomFrom(seed);
    const queue = new ByteQueue();
    let model = Buffer.alloc(0);
    for (let i = 0; i < 150; i++) {
      const most = [3, 40, 700, 9000][random(4)] as number;
      if (random(2) === 0) {
        const piece = Buffer.alloc(1 + random(most)).map(() => random(5)) as Buffer;
        queue.push(piece);
        model = Buffer.concat([model, piece]);
      } else if (random(3) === 0) {
        const wanted = Buffer.from(Array.from({ length: 1 + random(4) }, () => random(5)));
        const from = random(model.length + 1);
        expect(queue.indexOf(wanted, from)).toBe(model.indexOf(wanted, from));
      } else {
        const count = random(most);
        expect(queue.take(count).equals(model.subarray(0, count))).toBe(true);
        model = model.subarray(count);
      }
      expect(queue.length).toBe(model.length);
    }
    expect(queue.take(Number.POSITIVE_INFINITY).equals(model)).toBe(true);
    expect(queue.length).toBe(0);
  }
});

test("ByteQueue.take(), hands a piece that came whole out as it is", () => {
  const queue = new ByteQueue();
  const piece = Buffer.from("abc");
  queue.push(piece);

  expect(queue.take(3)).toBe(piece);
  expect(queue.take(1).length).toBe(0);
});
