/** The search field of every page. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { messageOf, server } from './call.ts';
import { hashOf } from './route.ts';
import { useSay } from './settings.tsx';

/** Takes an address, a message id or an item's id, and opens its page. The key `/` focuses the field. */
export function Search() {
  const say = useSay();
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState('');
  const [failure, setFailure] = useState('');
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      const { target } = event;
      const types = target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]');
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || types) return;
      event.preventDefault();
      input.current?.focus();
      input.current?.select();
    };
    addEventListener('keydown', focus);
    return () => removeEventListener('keydown', focus);
  }, []);
  const search = async () => {
    const wanted = text.trim();
    if (wanted === '') return;
    try {
      const { view, open } = await server.search({ text: wanted });
      setFailure('');
      location.hash = hashOf(view, ...open);
    } catch (error) {
      setFailure(messageOf(error, say));
    }
  };
  return (
    <search class="find">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          search();
        }}
      >
        <input
          ref={input}
          type="search"
          aria-label={say('find')}
          aria-keyshortcuts="/"
          title={say('findKey')}
          placeholder={say('findHint')}
          value={text}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          maxLength={2_000}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <button type="submit" class="quiet">
          {say('findButton')}
        </button>
      </form>
      <p class="find-failure" role="alert">
        {failure}
      </p>
    </search>
  );
}
