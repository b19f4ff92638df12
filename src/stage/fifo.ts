/** A first-in, first-out line of objects in a ring, so that taking the first one never moves the others. Its bound is its owner's concern. */

/** Slots a line starts with and shrinks back to when it runs empty; a power of two, so that wrapping is a mask. */
const slotsAtRest = 16
/** A line that ran empty keeps at most this many slots; a burst must not hold its memory for ever. */
const emptySlotsMax = 1024

export class Fifo<T extends object> {
  #slots: (T | undefined)[] = emptySlots(slotsAtRest)
  #first = 0
  #count = 0

  get count(): number {
    return this.#count
  }

  push(item: T): void {
    if (this.#count === this.#slots.length) this.#grow()
    this.#slots[(this.#first + this.#count) & (this.#slots.length - 1)] = item
    this.#count++
  }

  peek(): T | undefined {
    return this.#slots[this.#first]
  }

  shift(): T | undefined {
    if (this.#count === 0) return undefined
    const item = this.#slots[this.#first]
    this.#slots[this.#first] = undefined
    this.#first = (this.#first + 1) & (this.#slots.length - 1)
    this.#count--
    if (this.#count === 0 && this.#slots.length > emptySlotsMax) this.clear()
    return item
  }

  clear(): void {
    this.#slots = emptySlots(slotsAtRest)
    this.#first = 0
    this.#count = 0
  }

  #grow(): void {
    const slots = emptySlots<T>(this.#slots.length * 2)
    for (let at = 0; at < this.#count; at++) slots[at] = this.#slots[(this.#first + at) & (this.#slots.length - 1)]
    this.#slots = slots
    this.#first = 0
  }
}

function emptySlots<T>(count: number): (T | undefined)[] {
  return new Array<T | undefined>(count).fill(undefined)
}
