// The secret of an invitation stands behind the # of its link, which browsers send to no server. It goes into the form.
"use strict";
const secret = location.hash.slice(1);
if (secret) {
  history.replaceState(null, "", location.pathname);
  document.getElementById("invitation").value = secret;
  document.getElementById("join").requestSubmit();
}
