// Passkeys need the browser's own hands: show their buttons where it has them, and say so when it did not work.
(function () {
  function show (selector) {
    document.querySelectorAll(selector).forEach(function (element) { element.hidden = false })
  }
  document.addEventListener('DOMContentLoaded', function () {
    show(window.PublicKeyCredential ? '[data-passkey]' : '[data-no-passkey]')
  })
  document.addEventListener('allauth.error', function (event) {
    event.preventDefault() // the page says it, not the console
    show('[data-passkey-failed]')
  })
})()
