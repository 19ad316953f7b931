# SPDX-License-Identifier: MIT
# Completes a command line as bash does, and prints the offers.
#
#   bash --norc capture.bash SCRIPT FUNCTION LINE WORD...
#
# WORD...: LINE as bash splits it, at "=" and ":", too.

script=$1 function=$2
COMP_LINE=$3
COMP_POINT=${#COMP_LINE}
COMP_WORDS=("${@:4}")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
is_default=''

# Readline is not there: what it is asked for is done here.
compopt() {
    if [ "$2" = default ]; then is_default=1; fi
}

# shellcheck source=/dev/null
. "$script"
"$function" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}"
if [ -n "$is_default" ]; then
    last=${COMP_LINE##*[ =:]}
    mapfile -t COMPREPLY < <(compgen -f -- "$last")
fi
printf '%s\n' "${COMPREPLY[@]}"
