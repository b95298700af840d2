import { router } from './router.svelte.ts'

/** The row that is open beside a list: the word after the screen's in the URL, so that it is a link. */
export class Opened {
  /** `panel` names what of the query belongs to the panel, and goes when it is closed. */
  constructor(
    readonly screen: string,
    readonly panel: readonly string[] = [],
  ) {}

  get id(): string | undefined {
    return router.rest[0]
  }

  href(id: string): string {
    return router.href(this.screen, [id], router.query)
  }

  /** Going from row to row leaves one step to go back. */
  show(id: string): void {
    router.go(this.href(id), { replace: this.id !== undefined })
  }

  close(): void {
    router.go(router.href(this.screen, [], router.without(this.panel)))
  }
}
