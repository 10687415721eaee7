// Refreshes the figures; the page is whole without it.
(() => {
  if (document.querySelector('[data-token=wrong]')) sessionStorage.removeItem('token');
  const fields = [...document.querySelectorAll('input[name=token]')];
  for (const field of fields) {
    field.value = sessionStorage.getItem('token') || '';
    field.addEventListener('change', () => {
      sessionStorage.setItem('token', field.value);
      for (const other of fields) other.value = field.value;
    });
  }
  const refresh = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch('/', { headers: { Accept: 'text/html' } });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      document.getElementById('figures').replaceWith(page.getElementById('figures'));
      document.getElementById('state').replaceWith(page.getElementById('state'));
      const [form, now] = [document, page].map((each) => each.getElementById('pause'));
      form.action = now.action; // somebody else may have pressed it
      form.querySelector('button').textContent = now.querySelector('button').textContent;
    } catch { /* the proxy is away: the next try tells */ }
  };
  setInterval(refresh, 5000);
})();
