import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

const SERVER = process.env.OUTRIDER_URL ?? 'http://127.0.0.1:8080'

export default defineConfig({
  base: '/console/',
  plugins: [svelte(), themeBeforePaint()],
  build: {
    outDir: '../src/outrider/console',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        // One file for what screens share, rather than thirty: fewer requests, and it packs better.
        codeSplitting: { groups: [{ name: 'shared', test: /src\/(components|lib)\//, minShareCount: 2 }] },
        chunkFileNames: ({ facadeModuleId, name }) =>
          `assets/${/screens\/([^/]+)\/Screen\.svelte$/.exec(facadeModuleId ?? '')?.[1] ?? name}-[hash].js`,
      },
    },
  },
  server: {
    host: '127.0.0.1',
    proxy: Object.fromEntries(['/v2', '/console/api'].map((path) => [path, { target: SERVER, changeOrigin: true }])),
  },
  test: { include: ['src/**/*.test.ts'] },
})

/**
 * Sets the theme before anything is painted. The policy of the page allows no inline script, and a module runs too
 * late, so a small classic script goes into the head, under a name that changes with its content.
 */
function themeBeforePaint(): Plugin {
  const file = 'src/theme.js'
  const source = readFileSync(new URL(file, import.meta.url), 'utf8')
  const built = `assets/theme-${createHash('sha256').update(source).digest('hex').slice(0, 8)}.js`
  let building = false
  return {
    name: 'theme-before-paint',
    configResolved(config) {
      building = config.command === 'build'
    },
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: built, source })
    },
    transformIndexHtml: {
      order: 'post',
      handler: () => [
        { tag: 'script', attrs: { src: `/console/${building ? built : file}` }, injectTo: 'head' },
      ],
    },
  }
}
