import { compareKeys } from "../../../core/metadata/key_order.ts";

/** A map whose keys can be walked by prefix in key order. Suits up to some 100,000 keys. */
export class OrderedMap<V> {
  readonly #values = new Map<string, V>();
  #keys: string[] = [];

  get size(): number {
    return this.#values.size;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    if (!this.#values.has(key)) this.#keys.splice(this.#lowerBound(key), 0, key);
    this.#values.set(key, value);
  }

  delete(key: string): boolean {
    if (!this.#values.delete(key)) return false;
    this.#keys.splice(this.#lowerBound(key), 1);
    return true;
  }

  clear(): void {
    this.#values.clear();
    this.#keys = [];
  }

  *below(prefix: string): Generator<V> {
    for (let at = this.#lowerBound(prefix); at < this.#keys.length; at++) {
      const key = this.#keys[at]!;
      if (!key.startsWith(prefix)) return;
      yield this.#values.get(key)!;
    }
  }

  #lowerBound(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareKeys(this.#keys[middle]!, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
