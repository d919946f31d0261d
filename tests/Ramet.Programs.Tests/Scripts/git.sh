# image: shell
# run: --cpus 2
# A repository with 1,000 files: commit, branch, merge, conflict, gc, fsck, clone, push, stash, rebase, blame, archive, worktree.
export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_DATE='2001-02-03T04:05:06Z' GIT_COMMITTER_DATE='2001-02-03T04:05:06Z'
git config --global user.name Author; git config --global user.email author@example.org; git config --global init.defaultBranch main; git config --global advice.detachedHead false
git init -q repository; cd repository; mkdir d{0..19}; for i in {1..1000}; do echo "content $i" > d$((i % 20))/f$i; done
git add -A; git commit -q -m first; git rev-parse HEAD; git status --porcelain | wc -l; git ls-files | wc -l
git checkout -q -b topic; echo topic >> d1/f1; git commit -q -a -m topic; git checkout -q main; echo main >> d2/f2; git rm -q d3/f3; git mv d4/f4 d4/renamed; git commit -q -a -m second
git merge -q --no-edit topic; git log --oneline --graph | cat; git show --stat --format=%s HEAD~1 | cat
git checkout -q -b conflict HEAD~1; echo conflict > d1/f1; git commit -q -a -m conflict; git merge topic > /dev/null; echo "merge: $?"; git diff --name-only --diff-filter=U; git merge --abort; git checkout -q main
git gc -q; git count-objects -v | grep -E '^(count|in-pack|packs)'; git fsck --full 2>&1; echo "fsck: $?"
cd ..; git clone -q repository clone; git clone -q --no-local repository copy; cd clone; git rev-parse HEAD; git status --porcelain | wc -l; diff -r --exclude=.git . ../copy && echo "the same"
echo new > new; git add new; git commit -q -m new; git push -q origin HEAD:refs/heads/pushed; git -C ../repository branch | cat
echo more >> new; git stash -q; cat new; git stash pop -q; git diff --stat | cat; git commit -q -a -m more; git rebase -q HEAD~1; git log -1 --format=%s; git blame -s d1/f1; git grep -l 'content 77$'
git tag -a -m tag v1; git describe; git archive HEAD | tar t | wc -l; git worktree add -q ../tree origin/topic; cat ../tree/d1/f1; git bisect start -q HEAD HEAD~2 > /dev/null; git bisect run grep -q more new 2>&1 | grep -c 'first'; git bisect reset -q; git log --oneline | wc -l
git fetch -q ../repository conflict; git cherry-pick FETCH_HEAD > /dev/null 2>&1; echo "cherry-pick: $?"; git cherry-pick --abort; git revert --no-edit HEAD > /dev/null; cat new; git reset -q --hard HEAD~1; cat new; git clean -nd | wc -l; git rev-list --objects --all | wc -l
#> f724a84365653d61d5c544df62b4bd026b3d2f5b
#> 0
#> 1000
#> *   5f85da2 Merge branch 'topic'
#> |\  
#> | * 41ba088 topic
#> * | b3c4e7f second
#> |/  
#> * f724a84 first
#> second
#>
#>  d2/f2              | 1 +
#>  d3/f3              | 1 -
#>  d4/{f4 => renamed} | 0
#>  3 files changed, 1 insertion(+), 1 deletion(-)
#> merge: 1
#> d1/f1
#> count: 3
#> in-pack: 1038
#> packs: 1
#> dangling tree de702aaf38081bbe25a0f9bf0fdb966accbad7ce
#> fsck: 0
#> 5f85da2a99d0cb6deec3582e993d961bb6a17d4d
#> 0
#> the same
#>   conflict
#> * main
#>   pushed
#>   topic
#> new
#>  new | 1 +
#>  1 file changed, 1 insertion(+)
#> more
#> ^f724a84 1) content 1
#> 41ba088d 2) topic
#> d17/f77
#> v1
#> 1020
#> content 1
#> topic
#> 0
#> 6
#> cherry-pick: 1
#> new
#> new
#> more
#> 0
#> 1045
